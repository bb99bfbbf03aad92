import ContinuityCore
import ContinuityHTTP
import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// Three real PostgreSQL servers, an agent beside each, and one `continuity serve`.
final class PostgresFixture {
    static let cluster = "demo"
    private static let token = "integration-test-token-0123456789"

    let folder: TemporaryFolder
    let postgres: PostgresCluster
    let port: Int
    let agentPorts: [Int]
    private let client = ContinuityHTTP.HTTPClient(maxConcurrent: 4)
    private var processes: [Background] = []
    private var builtInStatus = false

    /// Sets everything up, runs `body` on a healthy cluster, and leaves nothing running.
    ///
    /// - Parameters:
    ///   - policy: the policy file.
    ///   - packs: folders of packs.
    ///   - hookCommands: added to those of each agent.
    ///   - settings: lines for every server's `postgresql.conf`, which it is started with.
    ///   - builtInStatus: whether the agents ask by `continuity postgres status`.
    static func run(
        policy: String, packs: [String], hookCommands: [String: JSONValue] = [:],
        settings: String = "", builtInStatus: Bool = false,
        _ body: (PostgresFixture) async throws -> Void
    ) async throws {
        let fixture = try await PostgresFixture(policy: policy, packs: packs)
        fixture.builtInStatus = builtInStatus
        var failure: (any Error)?
        do {
            try await fixture.start(hookCommands, settings)
            try await body(fixture)
        } catch {
            failure = error
        }
        fixture.processes = []
        await fixture.postgres.stop()
        fixture.client.shutdown()
        if let failure { throw failure }
    }

    private init(policy: String, packs: [String]) async throws {
        folder = try TemporaryFolder()
        guard chmod(folder.path, 0o711) == 0 else { throw WaitedInVain(what: "chmod works") }
        let ports = try (0..<7).map { _ in try freePort() }
        postgres = PostgresCluster(
            installation: try await PostgresInstallation.locate(), folder: folder.path,
            nodeIDs: ["node-1", "node-2", "node-3"], ports: Array(ports[0..<3]),
            password: "integration-test-password")
        agentPorts = Array(ports[3..<6])
        port = ports[6]
        try folder.write(Self.token, to: "token", mode: 0o600)
        try folder.write(policy, to: "policy.yaml")
        let nodes = postgres.nodes.enumerated().map { index, node -> JSONValue in
            [
                "node_id": .string(node.id), "role": index == 0 ? "primary" : "secondary",
                "agent_url": .string("http://127.0.0.1:\(agentPorts[index])"),
                "service_address": .string(node.address),
            ]
        }
        try write(["cluster_id": .string(Self.cluster), "nodes": .array(nodes)], "cluster.yaml")
        try write(
            [
                "listen": .string("127.0.0.1:\(port)"), "insecure_plain_http": true,
                "token_file": "token",
                "journal": "journal.sqlite",
                "clusters": [["cluster_file": "cluster.yaml", "policy_file": "policy.yaml"]],
                "hooks": ["workers": 1, "packs": .array(packs.map { .string($0) })],
            ], "serve.yaml")
    }

    /// JSON is YAML.
    private func write(_ value: JSONValue, _ name: String) throws {
        try folder.write(String(decoding: CanonicalJSON.bytes(value), as: UTF8.self), to: name)
    }

    private func start(_ extra: [String: JSONValue], _ settings: String) async throws {
        try await postgres.create()
        if !settings.isEmpty { try await restart(with: settings) }
        for (index, node) in postgres.nodes.enumerated() {
            try write(agent(node, agentPorts[index], extra), "agent-\(index).yaml")
        }
        try launch(["serve", "--config", folder.path + "/serve.yaml"], "serve")
        for index in postgres.nodes.indices {
            try launch(
                ["agent", "--config", folder.path + "/agent-\(index).yaml"], "agent-\(index)")
        }
        try await healthy()
    }

    private func launch(_ arguments: [String], _ name: String) throws {
        processes.append(try Background(arguments, log: folder.path + "/\(name).log"))
    }

    private func restart(with settings: String) async throws {
        for node in postgres.nodes {
            let handle = try #require(FileHandle(forWritingAtPath: node.configFile))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data((settings + "\n").utf8))
            try handle.close()
            _ = try await Program.mustRun(node.pgCtl("stop", "-m", "fast"))
            _ = try await Program.mustRun(node.startCommand)
        }
        try await postgres.waitUntilStreaming(from: postgres.nodes[0], count: 2)
    }

    private func agent(
        _ node: PostgresNode, _ port: Int, _ extra: [String: JSONValue]
    ) -> JSONValue {
        func section(_ commands: [PostgresNode.AgentCommand]) -> [String: JSONValue] {
            Dictionary(
                uniqueKeysWithValues: commands.map { command in
                    let argv =
                        command.name == "status" && builtInStatus
                        ? [
                            Programs.continuity, "postgres", "status", "--data-directory",
                            node.dataDirectory,
                        ] : command.argv
                    var entry: [String: JSONValue] = [
                        "argv": .array(argv.map { .string($0) }),
                        "timeout_ms": .int(Int64(command.timeoutMs)),
                    ]
                    if command.readsOnly { entry["reads_only"] = true }
                    return (command.name, .object(entry))
                })
        }
        return [
            "cluster_id": .string(Self.cluster), "node_id": .string(node.id),
            "orchestrators": [.string("http://127.0.0.1:\(self.port)")],
            "token_file": .string(folder.path + "/token"),
            "listen": .string("127.0.0.1:\(port)"), "insecure_plain_http": true,
            "state_file": .string(folder.path + "/\(node.id).state"),
            "service": [
                "address": .string(node.address), "pid_file": .string(node.pidFile),
                "directory": .string(node.dataDirectory),
            ],
            "commands": .object(section(node.agentCommands(executable: Programs.continuity))),
            "hook_commands": .object(section(node.hookCommands).merging(extra) { $1 }),
        ]
    }

    // MARK: Questions and requests

    private func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws
        -> (status: Int, json: JSONValue)
    {
        let response = try await client.send(
            .init(
                method: method, url: "http://127.0.0.1:\(port)/api/v1/continuity/\(path)",
                headers: [
                    "authorization": "Bearer \(Self.token)",
                    "continuity-nonce": UUID().uuidString,
                    "continuity-timestamp": "\(Int64(Date().timeIntervalSince1970 * 1000))",
                ],
                body: body.map { CanonicalJSON.bytes($0) } ?? [], maxResponseBytes: 16 << 20))
        return (
            response.status,
            try JSONDecoder().decode(JSONValue.self, from: Data(response.body))
        )
    }

    func healthy() async throws {
        var last = JSONValue.null
        do {
            _ = try await eventually("the cluster is healthy", within: .seconds(60)) {
                guard let status = try? await send("GET", "status").json else {
                    return nil as Bool?
                }
                last = status
                let cluster = status["clusters"]?.array?.first
                let nodes = cluster?["nodes"]?.array ?? []
                let streaming = nodes.filter { $0["service"]?["streaming"]?.bool == true }
                return cluster?["state"]?.string == "HEALTHY" && streaming.count == 2 ? true : nil
            }
        } catch {
            let log =
                (try? String(contentsOfFile: folder.path + "/serve.log", encoding: .utf8)) ?? ""
            throw WaitedInVain(what: "healthy: \(last) \(log.suffix(3000))")
        }
    }

    /// What a node's last report said of its service.
    func service(of node: String) async throws -> JSONValue? {
        let status = try await send("GET", "status").json
        return status["clusters"]?.array?.first?["nodes"]?.array?
            .first { $0["node_id"]?.string == node }?["service"]
    }

    /// Asks for a move and waits for its end. - Returns: the body of `run_finished`.
    func move(_ kind: String, to target: String? = nil) async throws -> JSONValue {
        var body: [String: JSONValue] = [
            "cluster_id": .string(Self.cluster), "reason": "test", "requested_by": "test",
        ]
        body["target_node_id"] = target.map { .string($0) }
        let accepted = try await send("POST", kind, .object(body))
        guard let run = accepted.json["run_id"]?.string else {
            throw WaitedInVain(what: "\(kind) is accepted: \(accepted.json)")
        }
        return try await eventually("\(run) ends", within: .seconds(60)) {
            try await entries("run_finished").first { $0["run_id"]?.string == run }
        }
    }

    func drill(_ scenario: String) async throws -> JSONValue {
        let file = folder.path + "/drill.json"
        let result = try await Programs.run(
            "drill", "run", "--cluster", Self.cluster, "--scenario", scenario, "--json",
            "--output", file, "--server", "http://127.0.0.1:\(port)", "--token-file",
            folder.path + "/token")
        guard let data = FileManager.default.contents(atPath: file) else {
            throw WaitedInVain(what: "the drill reports: \(result.errors)")
        }
        return try JSONDecoder().decode(JSONValue.self, from: data)
    }

    /// The report as people get it: a table, or Markdown.
    func drillText(_ scenario: String, _ flags: [String]) async throws -> String {
        try await Programs.run(
            [
                "drill", "run", "--cluster", Self.cluster, "--scenario", scenario, "--server",
                "http://127.0.0.1:\(port)", "--token-file", folder.path + "/token",
            ] + flags
        ).output
    }

    /// The bodies of all journal entries of a kind.
    func entries(_ kind: String) async throws -> [JSONValue] {
        var found: [JSONValue] = []
        var after: Int64 = 0
        while true {
            let page = try await send("GET", "audit?after=\(after)&limit=1000").json["entries"]?
                .array
            guard let page, let last = page.last?["seq"]?.int else { return found }
            found += page.filter { $0["kind"]?.string == kind }.compactMap { $0["body"] }
            after = last
        }
    }

    /// What one server says of itself, to be compared before and after.
    func facts() async throws -> [String] {
        var facts: [String] = []
        for node in postgres.nodes {
            facts.append(
                try await Program.mustRun(
                    node.psql(
                        "SELECT pg_is_in_recovery(), pg_postmaster_start_time(), timeline_id, "
                            + "CASE WHEN pg_is_in_recovery() THEN '-' "
                            + "ELSE pg_walfile_name(pg_current_wal_lsn()) END "
                            + "FROM pg_control_checkpoint()")))
        }
        return facts
    }
}
