import ContinuityCore
import ContinuityHTTP
import Foundation
import Glibc

/// A real `continuity serve` with a cluster whose agents are played by the test over HTTP.
/// Unchecked, since agents that are played share it: they only call `send`, which reads constants;
/// what changes (`serve`, `sequence`) belongs to the one task of the test.
final class ServeFixture: @unchecked Sendable {
    static let token = "integration-test-token-0123456789"
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    let folder: TemporaryFolder
    let port: Int
    let alertPort: Int
    /// Where all agents are said to be. Nobody listens there, unless ``PlayedAgents`` do.
    let agentPort: Int
    private let client = ContinuityHTTP.HTTPClient(maxConcurrent: 8)
    private(set) var serve: Background?
    private var sequence: Int64 = 0
    private var session = "none"

    /// - Parameter packs: A folder of packs, where hooks are to run.
    /// - Parameter topology: With `active_active`, all three nodes serve.
    init(
        policy: String, packs: String? = nil, topology: String = "active_passive"
    ) throws {
        folder = try TemporaryFolder()
        port = try freePort()
        alertPort = try freePort()
        try folder.write(Self.token, to: "token", mode: 0o600)
        try folder.write(Self.secret, to: "oncall.whsec", mode: 0o600)
        try folder.write(policy, to: "policy.yaml")
        // Without played agents, orders are answered "unreachable".
        let closed = try freePort()
        agentPort = closed
        let nodes = (1...3).map { number in
            """
              - node_id: node-\(number)
                role: \(number == 1 || topology == "active_active" ? "primary" : "secondary")
                agent_url: http://127.0.0.\(number):\(closed)
                service_address: 127.0.0.\(number):\(closed)

            """
        }
        try folder.write(
            "cluster_id: demo\ntopology: \(topology)\nnodes:\n" + nodes.joined(), to: "cluster.yaml"
        )
        try folder.write(
            """
            listen: 127.0.0.1:\(port)
            insecure_plain_http: true
            token_file: token
            journal: journal.sqlite
            clusters: [{cluster_file: cluster.yaml, policy_file: policy.yaml}]
            \(packs.map { "hooks: {workers: 1, packs: [\"\($0)\"]}" } ?? "")
            alerts:
              - {name: oncall, url: "http://127.0.0.1:\(alertPort)/", secret_file: oncall.whsec}

            """, to: "serve.yaml")
    }

    deinit { client.shutdown() }

    var configFile: String { folder.path + "/serve.yaml" }
    var journalFile: String { folder.path + "/journal.sqlite" }
    var log: String {
        (try? String(contentsOfFile: folder.path + "/serve.log", encoding: .utf8)) ?? ""
    }

    /// - Parameter wrapper: A program that runs `serve` in its own place.
    func start(wrapper: [String] = []) async throws {
        let background = try Background(
            ["serve", "--config", configFile], log: folder.path + "/serve.log", wrapper: wrapper)
        serve = background
        _ = try await eventually("serve is ready: \(log)") {
            guard background.isRunning else { throw WaitedInVain(what: "serve runs: \(log)") }
            return try? await get("/health/ready") == 200 ? true : nil
        }
    }

    /// How the command line finds this server.
    var access: [String] {
        ["--server", "http://127.0.0.1:\(port)", "--token-file", folder.path + "/token"]
    }

    func kill(_ signal: Int32 = SIGKILL) {
        serve?.kill(signal)
        serve = nil
    }

    /// Sends SIGTERM and gives the exit code.
    func terminate() -> Int32? {
        defer { serve = nil }
        serve?.kill(SIGTERM)
        return serve?.exitCode
    }

    private func get(_ path: String) async throws -> Int {
        try await client.send(.init(url: "http://127.0.0.1:\(port)\(path)")).status
    }

    func send(
        _ method: String, _ path: String, body: [UInt8] = [], token: String = ServeFixture.token
    ) async throws -> (status: Int, json: JSONValue, type: String?) {
        var request = ContinuityHTTP.HTTPRequest(
            method: method, url: "http://127.0.0.1:\(port)/api/v1/continuity/\(path)",
            headers: [
                "authorization": "Bearer \(token)", "continuity-nonce": UUID().uuidString,
                "continuity-timestamp": "\(Int64(Date().timeIntervalSince1970 * 1000))",
                "continuity-session": session,
            ], body: body, timeout: .seconds(30))
        var response = try await client.send(request)
        // As an agent does it: a server that has started since names another session.
        if let current = response.headers["continuity-session"], current != session {
            session = current
            request.headers["continuity-session"] = current
            if response.status == 409 { response = try await client.send(request) }
        }
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(response.body))
        return (response.status, json, response.headers["content-type"])
    }

    /// Reports of all three nodes, as their agents would send them.
    func report(primary: ServiceReport.State) async throws {
        for number in 1...3 {
            sequence += 1
            let isPrimary = number == 1
            let report = NodeReport(
                clusterID: "demo", nodeID: NodeID("node-\(number)"), bootID: "test",
                sequence: sequence, highestEpoch: 0,
                service: ServiceReport(
                    state: isPrimary ? primary : .running,
                    role: isPrimary ? .primary : .secondary, positionBytes: 1, lagMs: 0,
                    streaming: !isPrimary),
                peers: [:])
            _ = try await send(
                "POST", "agent/report", body: CanonicalJSON.bytes(encoding: report))
        }
    }

    func entries() async throws -> [JSONValue] {
        try await send("GET", "audit?limit=1000").json["entries"]?.array ?? []
    }
}
