import ContinuityCore
package import HTTPTypes
package import Hummingbird
import Logging

/// An RFC 9457 problem. Its `type` is a name of ours, stable for programs; `detail` is for people
/// and says what to do.
package struct Problem: Error, HTTPResponseError {
    package let status: HTTPResponse.Status
    package let type: String
    package let detail: String
    package var headers: HTTPFields = [:]

    package init(
        _ status: HTTPResponse.Status, _ type: String, _ detail: String, headers: HTTPFields = [:]
    ) {
        self.status = status
        self.type = type
        self.detail = detail
        self.headers = headers
    }

    package func response(from request: Request, context: some RequestContext) -> Response {
        response
    }

    package var response: Response {
        let body: JSONValue = [
            "type": .string("urn:continuity:problem:\(type)"),
            "title": .string(status.reasonPhrase),
            "status": .int(Int64(status.code)),
            "detail": .string(detail),
        ]
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        return Response(
            status: status, headers: fields,
            body: .init(byteBuffer: ByteBuffer(bytes: CanonicalJSON.bytes(body))))
    }
}

/// Makes a problem of every error, so that no answer has another form.
package struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            return problem.response
        } catch let error as any HTTPResponseError {
            return Self.problem(error.status).response
        } catch let error as CancellationError {
            throw error
        } catch {
            // What went wrong inside is for the log, not for whoever asks.
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return Self.problem(.internalServerError).response
        }
    }

    private static func problem(_ status: HTTPResponse.Status) -> Problem {
        switch status {
        case .notFound:
            Problem(.notFound, "no-such-route", "nothing answers this method at this path")
        case .internalServerError:
            Problem(.internalServerError, "internal", "the server failed; its log says more")
        default:
            Problem(
                status, status.reasonPhrase.lowercased().replacing(" ", with: "-"),
                "the request is not understood")
        }
    }
}
