package import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// One connection of a server of ours: TLS where there is a keeper, bounds always, HTTP/1.1.
struct TransportChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let base: HTTP1Channel
    let keeper: TLSKeeper?
    let peers: PeerRegistry

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard let keeper else { return base.setup(channel: channel, logger: logger) }
        return channel.eventLoop.makeCompletedFuture {
            // No callback of ours: it would take the place of BoringSSL's own check.
            try channel.pipeline.syncOperations.addHandlers([
                NIOSSLServerHandler(context: keeper.context()), PeerHandler(registry: peers),
            ])
        }.flatMap { base.setup(channel: channel, logger: logger) }
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
        HTTPServerBuilder { responder in
            TransportChannel(
                base: HTTP1Channel(
                    responder: responder,
                    configuration: .init(
                        additionalChannelHandlers: [PatienceHandler(bounds: bounds)],
                        httpDecoderConfiguration: .init(
                            maxHeaderFieldSize: bounds.headerBytesMax,
                            maxHeaderListSize: bounds.headerBytesMax,
                            maxHeaderFieldCount: bounds.headersMax))),
                keeper: keeper, peers: peers)
        }
    }
}
