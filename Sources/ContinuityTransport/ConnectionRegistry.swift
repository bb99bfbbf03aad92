import Logging
import NIOCore
import Synchronization

/// Bounds how many connections one address has open, and how many of them have not asked anything
/// yet: so that nobody takes every place there is, and TLS that never ends costs little.
final class ConnectionRegistry: Sendable {
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private struct Address {
        var open = 0
        var silent = 0
        var toldAt: ContinuousClock.Instant?
    }

    private struct State {
        var addresses: [String: Address] = [:]
        /// The connections that have not asked anything yet, with their address.
        var silent: [ObjectIdentifier: String] = [:]
    }

    private static let toldEvery: Duration = .seconds(60)
    private let bounds: TransportBounds
    private let state = Mutex(State())

    init(bounds: TransportBounds) { self.bounds = bounds }

    /// To be called for a new connection, on its event loop. It gives its place back when it ends.
    ///
    /// - Throws: ``Refused`` when its address has too many; the connection is to be closed.
    func open(_ channel: any Channel, logger: Logger) throws {
        let name = channel.remoteAddress?.ipAddress ?? "unknown"
        let id = ObjectIdentifier(channel)
        let (trouble, isNews) = state.withLock { state -> (String?, Bool) in
            var address = state.addresses[name] ?? Address()
            defer { state.addresses[name] = address }
            let trouble: String? =
                if address.open >= bounds.connectionsOfAddressMax {
                    "it has \(address.open) connections open"
                } else if address.silent >= bounds.silentOfAddressMax {
                    "\(address.silent) of its connections have asked nothing yet"
                } else {
                    nil
                }
            guard let trouble else {
                address.open += 1
                address.silent += 1
                state.silent[id] = name
                return (nil, false)
            }
            let now = ContinuousClock.now
            let isNews = address.toldAt.map { $0.duration(to: now) > Self.toldEvery } ?? true
            if isNews { address.toldAt = now }
            return (trouble, isNews)
        }
        if let trouble {
            if isNews {
                logger.warning(
                    "a connection is refused",
                    metadata: ["address": "\(name)", "reason": "\(trouble)"])
            }
            throw Refused(description: trouble)
        }
        channel.closeFuture.whenComplete { [self] _ in close(id, name) }
    }

    /// To be called with the first request of a connection.
    func asked(_ channel: any Channel) {
        state.withLock { state in
            guard let name = state.silent.removeValue(forKey: ObjectIdentifier(channel)) else {
                return
            }
            state.addresses[name]?.silent -= 1
        }
    }

    private func close(_ id: ObjectIdentifier, _ name: String) {
        state.withLock { state in
            if state.silent.removeValue(forKey: id) != nil { state.addresses[name]?.silent -= 1 }
            state.addresses[name]?.open -= 1
            if state.addresses[name]?.open == 0 { state.addresses[name] = nil }
        }
    }
}
