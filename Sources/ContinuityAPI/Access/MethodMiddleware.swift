import ContinuityTransport
import HTTPTypes
import Hummingbird

/// Tells a wrong method from a path that is not there.
struct MethodMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError where error.status == .notFound {
            // A route that was found says its own reasons as a problem.
            guard !(error is Problem) else { throw error }
            let methods = APIOperation.methods(at: request.uri.path)
            guard !methods.isEmpty else { throw error }
            throw Problem(
                .methodNotAllowed, "method-not-allowed",
                "only \(methods.joined(separator: " and ")) is answered here",
                headers: [.allow: methods.joined(separator: ", ")])
        }
    }
}

extension APIOperation {
    /// The methods that a path is answered for, in alphabetical order.
    static func methods(at path: String) -> [String] {
        let asked = path.split(separator: "/")
        let methods = allCases.map(\.rule).filter { rule in
            let declared = rule.path.split(separator: "/")
            return declared.count == asked.count
                && zip(declared, asked).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }.map(\.method)
        return (methods.contains("GET") ? methods + ["HEAD"] : methods).sorted()
    }
}
