import CLinux
import Dispatch
import Foundation

enum TCPProbe {
    /// - Returns: why no connection could be made, or `nil` when it could.
    static func failure(connectingTo endpoint: Endpoint, timeoutMs: Int64) async -> String? {
        let milliseconds = CInt(clamping: timeoutMs)
        // Blocks for at most the timeout, so it must not take one of the threads of Swift's pool.
        let failure = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .userInitiated).async {
                continuation.resume(
                    returning: continuity_tcp_probe(
                        endpoint.host, String(endpoint.port), milliseconds))
            }
        }
        guard failure != 0 else { return nil }
        return "no TCP connection to \(endpoint): \(String(cString: strerror(failure)))"
    }
}
