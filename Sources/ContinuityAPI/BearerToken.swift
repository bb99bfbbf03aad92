import HTTPTypes
import Hummingbird

/// Lets only requests through that carry the shared token.
struct BearerTokenMiddleware<Context: RequestContext>: RouterMiddleware {
    let token: [UInt8]

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard isValid(request.headers[.authorization]) else {
            throw Problem(
                .unauthorized, "unauthorized",
                "send the token of the server's token_file as 'Authorization: Bearer …'")
        }
        return try await next(request, context)
    }

    /// Takes the same time wherever the first difference stands.
    private func isValid(_ header: String?) -> Bool {
        let prefix = "Bearer "
        guard let header, header.hasPrefix(prefix) else { return false }
        let given = Array(header.dropFirst(prefix.count).utf8)
        var difference = given.count ^ token.count
        for index in token.indices {
            difference |= Int(token[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }
}
