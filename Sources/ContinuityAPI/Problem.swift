import ContinuityCore
import Foundation
import Hummingbird

/// An RFC 9457 problem. Its `type` is a name of ours, stable for programs; `detail` is for people
/// and says what to do.
struct Problem: Error, HTTPResponseError {
    let status: HTTPResponse.Status
    let type: String
    let detail: String

    init(_ status: HTTPResponse.Status, _ type: String, _ detail: String) {
        self.status = status
        self.type = type
        self.detail = detail
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        let body: JSONValue = [
            "type": .string("urn:continuity:problem:\(type)"),
            "title": .string(status.reasonPhrase),
            "status": .int(Int64(status.code)),
            "detail": .string(detail),
        ]
        return Response(
            status: status,
            headers: [.contentType: "application/problem+json", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: CanonicalJSON.bytes(body))))
    }
}
