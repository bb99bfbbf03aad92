import CLinux
import ContinuityCore
import Foundation
import Glibc
import Synchronization
import Testing

/// A runtime API that answers one byte at a time, for as long as somebody listens.
private final class Trickle: Sendable {
    let port: Int
    private let listener: Int32
    private let sent = Mutex(0)

    /// How many bytes were taken off it.
    var count: Int { sent.withLock { $0 } }

    init() throws {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, length) == 0 && listen(socket, 4) == 0
                    && getsockname(socket, $0, &length) == 0
            }
        }
        try #require(isBound)
        listener = socket
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func start() {
        Thread.detachNewThread { [self] in
            let peer = accept(listener, nil, nil)
            // Ends when the other side closes, or with the listener.
            while peer >= 0, send(peer, "x", 1, Int32(MSG_NOSIGNAL)) == 1 {
                sent.withLock { $0 += 1 }
                usleep(100_000)
            }
            close(peer)
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

@Suite("HAProxy's time")
struct HAProxyDeadlineTests {
    @Test("an answer that trickles ends by one deadline for the whole exchange")
    func trickle() async throws {
        let server = try Trickle()
        server.start()
        defer { server.stop() }
        let harness = try BrokerHarness()
        defer { harness.remove() }
        let address = "127.0.0.1:\(server.port)"
        let started = continuity_monotonic_ns()
        let outcome = try await harness.run(
            "local _, _, code = ctx.haproxy.command('\(address)', 'show info') return { code = code }",
            grant: "{haproxy: [{address: \"\(address)\", commands: [show]}]}")
        let tookMs = (continuity_monotonic_ns() - started) / 1_000_000
        #expect(outcome.value["code"] == "in_doubt", "\(outcome)")
        #expect(server.count > 1)
        // The hook's own budget is 30 s.
        #expect((2_500..<20_000).contains(tookMs), "\(tookMs) ms")
    }
}
