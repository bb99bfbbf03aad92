import ContinuityBroker
import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import Foundation
import Logging
import Synchronization
import Testing

@testable import ContinuityHooks

/// The journal and the agents, as the broker sees them; it refuses what `serve` would refuse.
final class TestPort: BrokerPort {
    private let intended = Mutex<[HookHostCall]>([])
    private let runIsOver: Bool
    /// What the agents say.
    private let detail: String?

    init(runIsOver: Bool = false, detail: String? = nil) {
        self.runIsOver = runIsOver
        self.detail = detail
    }

    var intents: [HookHostCall] { intended.withLock(\.self) }

    func nowMs() -> Int64 { 1_767_225_600_000 }

    func intend(_ call: HookHostCall) async throws(CallFailure) {
        guard !runIsOver else { throw CallFailure("the run is over", code: "unavailable") }
        intended.withLock { $0.append(call) }
    }

    func notify(_ call: HookHostCall) async throws(CallFailure) {}

    func command(
        _ order: AgentOrder, _ call: HookHostCall
    ) async throws(CallFailure) -> CommandResult {
        guard order.node == "db-1" else {
            throw CallFailure("'\(order.node)' is no node of this cluster", code: "invalid")
        }
        return CommandResult(key: "k", outcome: .succeeded, detail: detail ?? order.name.rawValue)
    }

    func permit(_ order: AgentOrder) throws(CallFailure) {}

    func pretended(_ order: AgentOrder) -> ServiceReport? { nil }
}

/// Runs scripts in the real sandbox, with the real broker behind it.
struct BrokerHarness {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    let folder: String
    let secrets: SecretStore
    let port: TestPort

    /// - Parameter secrets: name, value and destination.
    init(secrets: [(String, String, String)] = [], port: TestPort = TestPort()) throws {
        folder = NSTemporaryDirectory() + "broker-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var text = "secrets:\n  unused: {file: unused, bound_to: nowhere.test}\n"
        for (name, value, host) in secrets + [("unused", "unused-value", "nowhere.test")] {
            let file = folder + "/" + name
            try value.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(chmod(file, 0o600) == 0)
            if name != "unused" { text += "  \(name): {file: \(name), bound_to: \"\(host)\"}\n" }
        }
        let reader = try ConfigReader.parse(text: text, file: "serve.yaml")
        self.secrets = try SecretStore(
            reading: reader.optionalMapping("secrets"), folder: folder)
        self.port = port
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func invoke(
        _ pack: HookPack, _ stage: Stage, _ context: JSONValue,
        _ configuration: [String: JSONValue], _ grant: String, _ mode: LiveBroker.Mode
    ) async throws -> HookOutcome {
        let runtime = try HookRuntime(
            sandboxPath: HookRuntime.defaultSandboxPath(), workers: 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        defer { runtime.shutdown() }
        let client = HTTPClient(maxConcurrent: 4)
        defer { client.shutdown() }
        let json = try ConfigReader.parse(text: "grant: \(grant)", file: "grant").json("grant")
        return await runtime.invoke(
            HookInvocation(
                pack: pack, stage: stage, context: context, configuration: configuration,
                grant: try HookGrant(json: json ?? [:])),
            broker: LiveBroker(mode: mode, http: client, secrets: secrets, port: port))
    }

    /// The body of one function; its manifest asks for everything.
    func run(
        _ body: String, grant: String, mode: LiveBroker.Mode = .live
    ) async throws -> HookOutcome {
        let pack = try HookPack(
            folder: "/nowhere",
            manifestText: """
                api: hooks/v1
                name: probe
                version: 1.0.0
                kind: action
                stages: [pre_check]
                capabilities:
                  http: [{hosts: ["*"], methods: [GET, HEAD, POST, PUT, PATCH, DELETE]}]
                  dns: [{zones: ["*"], types: [A, AAAA, CNAME, SRV, TXT]}]
                  agent: {commands: [status, prepare]}
                  haproxy: [{commands: [show, set]}]
                  secrets: ["*"]
                budgets: {wall_ms: 30000, cpu_ms: 5000}
                """,
            manifestFile: "hook.yaml",
            script: "return { pre_check = function(ctx, conf)\n\(body)\nend }")
        return try await invoke(pack, .preCheck, [:], [:], grant, mode)
    }

    /// A shipped pack.
    func run(
        pack: String, at stage: Stage, context: JSONValue, conf: [String: JSONValue], grant: String,
        mode: LiveBroker.Mode = .live
    ) async throws -> HookOutcome {
        try await invoke(
            HookPack.load(folder: "\(Self.root)/\(pack)"), stage, context, conf, grant, mode)
    }

    /// What a pack sees of a failover from db-1 to db-2.
    static func context(_ stage: Stage, metadata: [String] = ["db-1.demo.test", "db-2.demo.test"])
        -> JSONValue
    {
        func node(_ index: Int) -> JSONValue {
            [
                "node_id": .string("db-\(index + 1)"),
                "role": index == 0 ? "primary" : "secondary",
                "metadata": [
                    "dns": .string(metadata[index]), "haproxy": .string("db\(index + 1)"),
                ],
            ]
        }
        return [
            "stage": .string(stage.rawValue), "drill": false, "epoch": 3,
            "now_ms": 1_767_225_600_000,
            "idempotency_key": "run-1/k",
            "cluster": ["cluster_id": "demo", "name": "demo", "nodes": [node(0), node(1)]],
            "primary": node(0), "target": node(1),
            "plan": [
                "plan_id": "plan-1", "primary_node_id": "db-1", "failover_target_id": "db-2",
            ],
            "run": [
                "run_id": "run-1", "kind": "failover", "trigger": "service_failed",
                "requested_by": "continuity", "reason": "",
            ],
        ]
    }
}

extension BrokerHarness {
    /// What a pack sees when the load of an active/active cluster is divided anew.
    static func context(weights: [(dns: String, weight: Int64)]) -> JSONValue {
        let nodes = weights.enumerated().map { index, node -> JSONValue in
            [
                "node_id": .string("db-\(index + 1)"), "role": "primary",
                "metadata": [
                    "dns": .string(node.dns), "haproxy": .string("db\(index + 1)"),
                ],
            ]
        }
        let shares = weights.enumerated().map { index, node -> JSONValue in
            ["node_id": .string("db-\(index + 1)"), "weight": .int(node.weight)]
        }
        guard case .object(var members) = context(.dnsFlip) else { return .null }
        members["cluster"] = ["cluster_id": "demo", "name": "demo", "nodes": .array(nodes)]
        members["plan"] = [
            "plan_id": "plan-1", "kind": "rebalance", "weights": .array(shares),
            "shed_permille": 0,
        ]
        return .object(members)
    }
}

/// A program of somebody else, killed with the test.
final class Daemon {
    let log: String
    private let process = Process()

    init(_ argv: [String], log: String) throws {
        self.log = log
        process.executableURL = URL(fileURLWithPath: argv[0])
        process.arguments = Array(argv.dropFirst())
        try #require(FileManager.default.createFile(atPath: log, contents: nil))
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        process.standardError = handle
        process.standardOutput = handle
        try process.run()
    }

    deinit {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// Waits until it is ready; fails with its log.
    func ready(within seconds: Int = 20, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            guard process.isRunning else { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        throw DaemonFailure(log: String(text.suffix(2000)))
    }

    struct DaemonFailure: Error, CustomStringConvertible {
        let log: String
        var description: String { "the program did not get ready:\n\(log)" }
    }
}

/// A port of the loopback interface that was free a moment ago.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return try withUnsafeMutablePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try #require(bind(descriptor, $0, length) == 0)
            try #require(getsockname(descriptor, $0, &length) == 0)
        }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
    }
}
