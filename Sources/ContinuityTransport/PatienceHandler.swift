import NIOCore
import NIOHTTPTypes

/// Ends connections whose other side takes too long: to send a request, to take a response, or
/// to do anything at all. A byte now and then buys no time.
final class PatienceHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let bounds: TransportBounds
    private let connections: ConnectionRegistry
    private var timer: Scheduled<Void>?
    private var hasAsked = false

    init(bounds: TransportBounds, connections: ConnectionRegistry) {
        self.bounds = bounds
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) { start(bounds.headTime, context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            if !hasAsked { connections.asked(context.channel) }
            hasAsked = true
            start(bounds.bodyTime, context)
        case .body: break
        // How long the answer takes is ours to say.
        case .end: timer?.cancel()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            start(bounds.responseTime, context)
            context.write(data, promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            // The promise is kept when the kernel has taken the last byte.
            let done = promise ?? context.eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            done.futureResult.whenSuccess {
                let (handler, context) = bound.value
                handler.start(handler.bounds.idleTime, context)
            }
            context.write(data, promise: done)
        }
    }

    private func start(_ limit: Duration, _ context: ChannelHandlerContext) {
        timer?.cancel()
        guard context.channel.isActive || timer == nil else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            context.close(promise: nil)
        }
    }
}
