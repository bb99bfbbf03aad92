package import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1
import NIOSSL

/// One connection of a server of ours: TLS where there is a keeper, bounds always, HTTP/1.1.
struct TransportChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let base: HTTP1Channel
    let keeper: TLSKeeper?
    let peers: PeerRegistry
    let connections: ConnectionRegistry

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        do {
            try connections.open(channel, logger: logger)
        } catch {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(error)
        }
        guard let keeper else { return http(channel, logger) }
        return channel.eventLoop.makeCompletedFuture {
            // No callback of ours: it would take the place of BoringSSL's own check.
            try channel.pipeline.syncOperations.addHandlers([
                NIOSSLServerHandler(context: keeper.context()), PeerHandler(registry: peers),
            ])
        }.flatMap { http(channel, logger) }
    }

    private func http(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.context(handlerType: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(RequestFormHandler(), position: .before(codec.handler))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// - Parameters:
    ///   - keeper: `nil`: plain HTTP.
    ///   - peers: Told whose certificates are shown.
    package static func transport(
        keeper: TLSKeeper?, peers: PeerRegistry, bounds: TransportBounds
    ) -> HTTPServerBuilder {
        let connections = ConnectionRegistry(bounds: bounds)
        return HTTPServerBuilder { responder in
            TransportChannel(
                base: HTTP1Channel(
                    responder: responder,
                    configuration: .init(
                        additionalChannelHandlers: [
                            PatienceHandler(bounds: bounds, connections: connections)
                        ],
                        httpDecoderConfiguration: .init(
                            maxHeaderFieldSize: bounds.headerBytesMax,
                            maxHeaderListSize: bounds.headerBytesMax,
                            maxHeaderFieldCount: bounds.headersMax))),
                keeper: keeper, peers: peers, connections: connections)
        }
    }
}
