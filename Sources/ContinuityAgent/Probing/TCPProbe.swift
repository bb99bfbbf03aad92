import CLinux
import ContinuityCore
import Dispatch
import Foundation

enum TCPProbe {
    /// Asks whether GSSAPI encryption is to be had: eight bytes, of which PostgreSQL makes no entry
    /// in its log when no more follows, unless it logs every connection. Of the same question for
    /// TLS it does where it has TLS. Its postmaster takes the connection, and a process that it
    /// forks answers one byte: neither does so while stopped.
    private static let postgresQuestion: [UInt8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x30]

    private static func question(_ probe: ServiceProbe, _ endpoint: Endpoint) -> [UInt8] {
        switch probe {
        case .tcp: []
        case .postgresql: postgresQuestion
        case .http:
            Array("GET / HTTP/1.1\r\nHost: \(endpoint)\r\nConnection: close\r\n\r\n".utf8)
        }
    }

    /// - Parameter probe: what must happen on the connection, within the same time.
    /// - Returns: why there was no connection or no answer, or `nil` when there was.
    static func failure(
        connectingTo endpoint: Endpoint, asking probe: ServiceProbe = .tcp, timeoutMs: Int64
    ) async -> String? {
        let milliseconds = CInt(clamping: timeoutMs)
        let question = question(probe, endpoint)
        // Blocks for at most the timeout, so it must not take one of the threads of Swift's pool.
        let failure = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .userInitiated).async {
                continuation.resume(
                    returning: continuity_tcp_probe(
                        endpoint.host, String(endpoint.port), question, question.count,
                        milliseconds))
            }
        }
        guard failure != 0 else { return nil }
        let wanted = probe == .tcp ? "no TCP connection to" : "no answer from"
        return "\(wanted) \(endpoint): \(String(cString: strerror(failure)))"
    }
}
