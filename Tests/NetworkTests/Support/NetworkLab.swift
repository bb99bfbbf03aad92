import CLinux
import ContinuityHTTP
import ContinuityPostgres
import Foundation
import Glibc

@testable import ContinuityDemo

/// Three nodes, each in a network namespace of its own, and a fourth one that holds the switch
/// between them and `serve`. No address of it exists outside; nothing of this machine's own
/// network is touched.
struct NetworkLab: Sendable {
    /// Seen from the node: what it is cut off from.
    enum Cut: String, Sendable {
        case both, inbound, outbound
    }

    static let nodeCount = 3
    static let serveHost = "10.77.0.1"
    private static let prefix = "cty"
    private static let folder = "/run/netns"

    private let name: String
    var hub: String { "\(name)h" }
    func node(_ index: Int) -> String { "\(name)n\(index)" }
    private var all: [String] { [hub] + (0..<Self.nodeCount).map(node) }

    /// - Throws: `LabFailure` when this user or this machine cannot have namespaces.
    static func create() async throws -> NetworkLab {
        guard geteuid() == 0 else {
            throw LabFailure(
                "the network tests need root for network namespaces; run scripts/test-network")
        }
        for tool in ["ip", "nft", "nsenter"] where !exists(tool) {
            throw LabFailure("\(tool) is not installed; run scripts/install-dependencies")
        }
        await removeStale()
        let lab = NetworkLab(name: "\(prefix)\(getpid())")
        do {
            try await lab.build()
        } catch {
            await lab.remove()
            throw error
        }
        return lab
    }

    private static func exists(_ tool: String) -> Bool {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].contains { access("\($0)/\(tool)", X_OK) == 0 }
    }

    private func build() async throws {
        for name in all {
            try await Self.ip("netns", "add", name)
            try await Self.ip("-n", name, "link", "set", "lo", "up")
        }
        try await Self.ip("-n", hub, "link", "add", "br0", "type", "bridge")
        try await Self.ip("-n", hub, "addr", "add", "\(Self.serveHost)/24", "dev", "br0")
        try await Self.ip("-n", hub, "link", "set", "br0", "up")
        for index in 0..<Self.nodeCount {
            try await Self.ip(
                "-n", hub, "link", "add", "v\(index)", "type", "veth", "peer", "name", "eth0",
                "netns", node(index))
            try await Self.ip("-n", hub, "link", "set", "v\(index)", "master", "br0", "up")
            try await Self.ip(
                "-n", node(index), "addr", "add", "\(Self.host(index))/24", "dev", "eth0")
            try await Self.ip("-n", node(index), "link", "set", "eth0", "up")
        }
    }

    static func host(_ index: Int) -> String { "10.77.0.\(11 + index)" }

    private static func launcher(_ namespace: String) -> [String] {
        ["/usr/bin/nsenter", "--net=\(folder)/\(namespace)", "--"]
    }

    var network: DemoNetwork {
        DemoNetwork(
            places: (0..<Self.nodeCount).map {
                PostgresPlace(
                    host: Self.host($0), clients: "10.77.0.0/24", launcher: Self.launcher(node($0)))
            },
            serveHost: Self.serveHost, serveLauncher: Self.launcher(hub))
    }

    /// The switch drops frames silently, as a broken cable would. Replaces earlier cuts.
    func cut(_ index: Int, _ cut: Cut) async throws {
        var script =
            "add table bridge cut; delete table bridge cut; add table bridge cut; "
            + "add chain bridge cut from { type filter hook prerouting priority -300; }; "
            + "add chain bridge cut to { type filter hook postrouting priority 300; }"
        if cut != .inbound { script += "; add rule bridge cut from iifname v\(index) drop" }
        if cut != .outbound { script += "; add rule bridge cut to oifname v\(index) drop" }
        try await Program.mustRun(Self.launcher(hub) + ["nft", script])
    }

    func heal() async throws {
        try await Program.mustRun(
            Self.launcher(hub)
                + ["nft", "add table bridge cut; delete table bridge cut"])
    }

    /// A client whose connections start in the switch's namespace: its thread is started from one
    /// that stands there, and inherits that.
    func client() throws -> HTTPClient {
        let path = "\(Self.folder)/\(hub)"
        nonisolated(unsafe) var client: HTTPClient?
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            defer { done.signal() }
            guard continuity_enter_network(path) == 0 else { return }
            client = HTTPClient(maxConcurrent: 8)
        }
        thread.start()
        done.wait()
        guard let client else { throw LabFailure("cannot enter the namespace \(hub)") }
        return client
    }

    func remove() async {
        for name in all { _ = try? await Self.ip("netns", "del", name) }
    }

    /// What a test process that was killed left behind.
    private static func removeStale() async {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where name.hasPrefix(prefix) {
            let number = name.dropFirst(prefix.count).prefix(while: \.isNumber)
            guard let pid = pid_t(number), kill(pid, 0) != 0 else { continue }
            _ = try? await ip("netns", "del", name)
        }
    }

    private static func ip(_ arguments: String...) async throws {
        try await Program.mustRun(["ip"] + arguments, timeout: .seconds(10))
    }
}

struct LabFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
