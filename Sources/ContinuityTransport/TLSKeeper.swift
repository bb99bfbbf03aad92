package import ContinuityCrypto
package import Logging
import NIOSSL
import Synchronization

/// Gives each new connection the TLS context of the files as they are now.
///
/// The files are looked at when a connection comes, so that a renewal needs no signal and no
/// restart. Files that cannot be used leave the last good ones in force, and say so in the log.
package final class TLSKeeper: Sendable {
    package enum ClientCertificates: Sendable {
        /// The handshake fails without one.
        case required
        /// One that is shown must be good; who shows none must be known otherwise.
        case optional
        case none
    }

    private struct State {
        var context: NIOSSLContext
        var stamp: [Int64]
    }

    package let files: TLSFiles
    private let clientCertificates: ClientCertificates
    private let logger: Logger
    private let state: Mutex<State>

    /// - Throws: ``CertificateError`` when the files cannot be used.
    package init(
        files: TLSFiles, clientCertificates: ClientCertificates, logger: Logger
    ) throws(CertificateError) {
        self.files = files
        self.clientCertificates = clientCertificates
        self.logger = logger
        let stamp = files.stamp
        let context = try Self.context(files, clientCertificates)
        state = Mutex(State(context: context, stamp: stamp))
    }

    func context() -> NIOSSLContext {
        state.withLock { state in
            let stamp = files.stamp
            guard stamp != state.stamp else { return state.context }
            // Also when they cannot be used: they are tried again when they change again.
            state.stamp = stamp
            do {
                state.context = try Self.context(files, clientCertificates)
                logger.notice(
                    "new certificates are in force for new connections",
                    metadata: ["certificate": "\(files.certificateFile)"])
            } catch {
                logger.error(
                    "the new certificates cannot be used, the old ones stay in force",
                    metadata: ["reason": "\(error)"])
            }
            return state.context
        }
    }

    private static func context(
        _ files: TLSFiles, _ clientCertificates: ClientCertificates
    ) throws(CertificateError) -> NIOSSLContext {
        let material = try files.read()
        do {
            var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
                certificateChain: try material.chain.map {
                    .certificate(try NIOSSLCertificate(bytes: $0.der, format: .der))
                },
                privateKey: .privateKey(
                    try NIOSSLPrivateKey(bytes: material.key.pem(), format: .pem)),
                trustRoots: .certificates(
                    try material.authorities.map {
                        try NIOSSLCertificate(bytes: $0.der, format: .der)
                    }))
            configuration.minimumTLSVersion = .tlsv13
            configuration.applicationProtocols = ["http/1.1"]
            switch clientCertificates {
            case .required: configuration.certificateVerification = .noHostnameVerification
            case .optional: configuration.certificateVerification = .optionalVerification
            case .none: configuration.certificateVerification = .none
            }
            return try NIOSSLContext(configuration: configuration)
        } catch let error as CertificateError {
            throw error
        } catch {
            throw CertificateError(
                "TLS cannot use \(files.certificateFile): \(error)",
                remedy: "use a key on P-256 or P-384, or RSA of 2048 bits or more")
        }
    }
}
