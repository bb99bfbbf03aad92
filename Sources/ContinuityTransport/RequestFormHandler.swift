package import HTTPTypes
import NIOCore
import NIOHTTP1

/// Looks at a request's head as it was sent, before its parts are told apart: what a proxy could
/// read differently is marked, and ``RequestForm`` refuses it.
final class RequestFormHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), let trouble = RequestForm.trouble(head)
        else { return context.fireChannelRead(data) }
        head.headers.replaceOrAdd(name: RequestForm.fieldName, value: trouble)
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}

/// What a request must look like, so that whatever stands before the server, a proxy or a filter
/// of paths, sees the same host and path as it does.
package enum RequestForm {
    static let fieldName = "continuity-form-fault"
    /// Set where a request is to be refused. Whoever sends it is refused too.
    package static let field = HTTPField.Name(fieldName)

    static func trouble(_ head: HTTPRequestHead) -> String? {
        guard head.headers["host"].count <= 1 else { return "it has two Host fields; send one" }
        guard head.uri.hasPrefix("/") else {
            return "write the path alone, such as /api/v1/continuity/status, not a whole URI"
        }
        let path = head.uri.prefix { $0 != "?" && $0 != "#" }
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        // One at the end changes nothing.
        guard !segments.dropLast().contains("") else { return "the path has an empty part: '//'" }
        let decoded = segments.map { $0.lowercased().replacing("%2e", with: ".") }
        guard !decoded.contains("."), !decoded.contains(".."), !path.contains("\\") else {
            return "the path has a part that stands for another: '.', '..' or a backslash"
        }
        return nil
    }
}
