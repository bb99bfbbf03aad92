import ContinuityTransport
import Hummingbird

/// Refuses requests that two readers could understand differently.
struct RequestFormMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        if let field = RequestForm.field, let trouble = request.headers[field] {
            throw Problem(.badRequest, "bad-request", trouble)
        }
        return try await next(request, context)
    }
}
