package import ContinuityCrypto
import Foundation
import HTTPTypes
package import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// The certificates that the other sides of open connections have shown, and proven to hold.
package final class PeerRegistry: Sendable {
    private let certificates = Mutex<[ObjectIdentifier: Certificate]>([:])

    package init() {}

    /// `nil`: none was shown, or the connection is not encrypted.
    package func certificate(of channel: any Channel) -> Certificate? {
        certificates.withLock { $0[ObjectIdentifier(channel)] }
    }

    /// The certificate, if it still holds at this moment: a connection may outlive it.
    ///
    /// - Throws: ``Problem`` when there is none, or it has ended. The connection is closed then, so
    ///   that the other side comes back with a new one.
    package static func current(
        _ certificate: Certificate?, on channel: any Channel
    ) throws -> Certificate {
        guard let certificate else {
            throw Problem(
                .unauthorized, "no-certificate", "show a certificate of the configured authority")
        }
        guard Int64(Date().timeIntervalSince1970) < certificate.notAfter else {
            channel.close(promise: nil)
            throw Problem(.unauthorized, "certificate-expired", "renew the certificate")
        }
        return certificate
    }

    fileprivate func set(_ certificate: Certificate?, of channel: any Channel) {
        certificates.withLock { $0[ObjectIdentifier(channel)] = certificate }
    }
}

/// Stands behind the TLS handler and remembers whose certificate it has verified, for as long as
/// the connection is open.
final class PeerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let registry: PeerRegistry

    init(registry: PeerRegistry) { self.registry = registry }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            let handler = try? context.pipeline.syncOperations.handler(
                type: NIOSSLServerHandler.self)
            let der = try? handler?.peerCertificate?.toDERBytes()
            registry.set(der.flatMap { try? Certificate(der: $0) }, of: context.channel)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        registry.set(nil, of: context.channel)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        registry.set(nil, of: context.channel)
    }
}
