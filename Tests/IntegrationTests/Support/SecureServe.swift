import ContinuityCore
import Foundation
import Glibc
import Testing

/// A real `continuity serve` with TLS, an authority of `continuity pki`, and people of each role.
final class SecureServe {
    static let bootstrap = "bootstrap-token-0123456789-abcdef"

    let folder: TemporaryFolder
    let port: Int
    private(set) var serve: Background?

    var url: String { "https://127.0.0.1:\(port)" }
    var api: String { url + "/api/v1/continuity" }
    var ca: String { folder.path + "/pki/ca.pem" }
    var journalFile: String { folder.path + "/journal.sqlite" }
    var log: String {
        (try? String(contentsOfFile: folder.path + "/serve.log", encoding: .utf8)) ?? ""
    }

    /// - Parameters:
    ///   - extra: More lines of the server's configuration.
    init(extra: String = "", agents: String = "") async throws {
        folder = try TemporaryFolder()
        port = try freePort()
        try await pki("init")
        try await pki("issue", "--serve", "one", "--ip", "127.0.0.1", "--out", file("serve"))
        for person in ["viewer", "operator", "admin"] {
            try await pki("issue", "--person", person, "--out", file(person))
        }
        for node in 1...2 {
            try await pki(
                "issue", "--agent", "orders/node-\(node)", "--ip", "127.0.0.1", "--out",
                file("node-\(node)"))
        }
        try folder.write(Self.bootstrap, to: "token", mode: 0o600)
        try folder.write("policy_id: p\nstrategy: manual\n", to: "policy.yaml")
        let closed = try freePort()
        for cluster in ["orders", "other"] {
            let nodes = (1...2).map { number in
                """
                  - node_id: node-\(number)
                    role: \(number == 1 ? "primary" : "secondary")
                    agent_url: https://127.0.0.\(number):\(closed)
                    service_address: 127.0.0.\(number):\(closed)

                """
            }
            try folder.write(
                "cluster_id: \(cluster)\nnodes:\n" + nodes.joined(), to: cluster + ".yaml")
        }
        try folder.write(
            """
            listen: 127.0.0.1:\(port)
            tls: {certificate: serve.pem, ca: pki/ca.pem}
            token_file: token
            journal: journal.sqlite
            clusters:
              - {cluster_file: orders.yaml, policy_file: policy.yaml}
              - {cluster_file: other.yaml, policy_file: policy.yaml}
            people:
              - {name: viewer, role: viewer}
              - {name: operator, role: operator}
              - {name: admin, role: admin}
            \(agents)
            \(extra)

            """, to: "serve.yaml")
    }

    func file(_ name: String) -> String { "\(folder.path)/\(name).pem" }

    @discardableResult
    func pki(_ verb: String, _ arguments: String...) async throws -> Programs.Result {
        let result = try await Programs.run(
            ["pki", verb, "--dir", folder.path + "/pki"] + arguments)
        try #require(result.exitCode == 0, "pki \(verb): \(result.errors)")
        return result
    }

    func start(logLevel: String = "info") async throws {
        let background = try Background(
            ["serve", "--config", folder.path + "/serve.yaml", "--log-level", logLevel],
            log: folder.path + "/serve.log")
        serve = background
        _ = try await eventually("serve is ready: \(log)") {
            guard background.isRunning else { throw WaitedInVain(what: "serve runs: \(log)") }
            return try? await curl(nil, url + "/health/ready").status == 200 ? true : nil
        }
    }

    func kill(_ signal: Int32 = SIGKILL) {
        serve?.kill(signal)
        serve = nil
    }

    struct Answer {
        var status: Int
        var headers: String
        var body: String
        var errors: String
        var exitCode: Int32?
        var problem: String? {
            let json = try? JSONDecoder().decode(JSONValue.self, from: Data(body.utf8))
            return json?["type"]?.string?.split(separator: ":").last.map(String.init)
        }
    }

    /// A request by the real curl, as a person or machine with that certificate.
    func curl(_ name: String?, _ url: String, _ more: String...) async throws -> Answer {
        try await curl(name, url, more)
    }

    func curl(_ name: String?, _ url: String, _ more: [String]) async throws -> Answer {
        var arguments = ["--cacert", ca, "--include"]
        if let name { arguments += ["--cert", file(name), "--key", file(name)] }
        let result = try await Tool.curl(arguments + more + [url])
        let parts = result.output.split(separator: "\r\n\r\n", maxSplits: 1)
        let status = result.output.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return Answer(
            status: status ?? 0, headers: parts.first.map(String.init) ?? "",
            body: parts.count > 1 ? String(parts[1]) : "", errors: result.errors,
            exitCode: result.exitCode)
    }

    /// The headers and body of a change that was made just now.
    static func change(
        _ body: String = "{}", ageMs: Int64 = 0, nonce: String = UUID().uuidString
    ) -> [String] {
        let at = Int64(Date().timeIntervalSince1970 * 1000) - ageMs
        return [
            "--header", "Continuity-Timestamp: \(at)", "--header", "Continuity-Nonce: \(nonce)",
            "--header", "Content-Type: application/json", "--data", body,
        ]
    }

    /// A node's heartbeat as its agent would send it, in the session of the server of now.
    func report(
        _ node: String, as name: String? = nil, boot: String = "b", sequence: Int = 1,
        session given: String? = nil
    ) async throws -> Answer {
        let body = """
            {"cluster_id":"orders","node_id":"\(node)","boot_id":"\(boot)",
             "sequence":\(sequence),"highest_epoch":0,"peers":{},
             "service":{"state":"running","role":"primary","streaming":false,"detail":""}}
            """
        func send(_ session: String) async throws -> Answer {
            try await curl(
                name ?? node, api + "/agent/report", "--header", "Continuity-Session: \(session)",
                "--data", body)
        }
        if let given { return try await send(given) }
        let first = try await send("none")
        guard first.problem == "stale-session" else { return first }
        return try await send(Self.session(of: first))
    }

    static func session(of answer: Answer) -> String {
        answer.headers.firstMatch(of: #/(?i)continuity-session: ([0-9a-f]+)/#)
            .map { String($0.output.1) } ?? ""
    }

    /// The command line, as that person.
    func continuity(_ name: String, _ arguments: String...) async throws -> Programs.Result {
        try await Programs.run(
            arguments + ["--server", url, "--certificate", file(name), "--ca", ca])
    }

    func entries() async throws -> [JSONValue] {
        let answer = try await curl("admin", api + "/audit?limit=1000")
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(answer.body.utf8))
        return json["entries"]?.array ?? []
    }
}
