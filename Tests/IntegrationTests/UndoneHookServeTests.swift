import ContinuityCore
import Foundation
import Glibc
import Testing

@testable import ContinuityDemo

/// A real BIND that is away during a failover, the shipped pack, and a real `serve`.
@Suite(.serialized) struct UndoneHookServeTests {
    private static let hooks = Programs.repository.appending(path: "hooks").path

    private func fixture(_ server: NameServer) throws -> ServeFixture {
        let fixture = try ServeFixture(
            policy: """
                policy_id: p
                cooldown_s: 0
                detection: {profile: lan}
                hooks:
                  - stage: dns_flip
                    pack: dns-rfc2136
                    timeout_ms: 2000
                    on_failure: continue
                    config: {zone: demo.test, name: db.demo.test, ttl: 5}
                    grant:
                      dns:
                        - {server: "\(server.address)", zones: [demo.test], records: [db.demo.test],
                           types: [CNAME], tsig: {name: continuity, secret: dns-key}}

                """, packs: Self.hooks)
        var cluster = try String(
            contentsOfFile: fixture.folder.path + "/cluster.yaml", encoding: .utf8)
        for number in 1...3 {
            cluster = cluster.replacing(
                "node_id: node-\(number)\n",
                with: "node_id: node-\(number)\n    metadata: {dns: node-\(number).demo.test}\n")
        }
        try fixture.folder.write(cluster, to: "cluster.yaml")
        try fixture.folder.write(server.key, to: "dns.key", mode: 0o600)
        let old = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
        let secrets = "secrets: {dns-key: {file: dns.key, bound_to: \"\(server.address)\"}}\n"
        try fixture.folder.write(old + secrets, to: "serve.yaml")
        return fixture
    }

    private func cluster(_ fixture: ServeFixture) async throws -> JSONValue? {
        try await fixture.send("GET", "status").json["clusters"]?.array?.first
    }

    private func record(_ server: NameServer) async throws -> String {
        try await Programs.run(
            program: "/usr/bin/dig",
            [
                "+short", "+tries=1", "+time=1", "@127.0.0.1", "-p", "\(server.port)",
                NameServer.serviceName, "CNAME",
            ]
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func undone(_ fixture: ServeFixture) async throws {
        _ = try await eventually("the cluster is degraded by the hook alone: \(fixture.log)") {
            let cluster = try await cluster(fixture)
            let told = cluster?["undone_hooks"]?.array?.first
            return cluster?["state"]?.string == "DEGRADED"
                && cluster?["state_evidence"]?.string?
                    .contains("nodes are healthy; dns-rfc2136 at dns_flip is not done") == true
                && told?["pack"]?.string == "dns-rfc2136" && (told?["attempts"]?.int ?? 0) > 0
                ? true : nil
        }
    }

    private func healthy(_ fixture: ServeFixture, _ primary: String) async throws {
        _ = try await eventually("\(primary) is primary and all is well", within: .seconds(90)) {
            let cluster = try await cluster(fixture)
            return cluster?["primary_node_id"]?.string == primary
                && cluster?["state"]?.string == "HEALTHY" && cluster?["undone_hooks"] == nil
                && cluster?["run"] == nil ? true : nil
        }
    }

    @Test func aRecordThatWasMissedIsChangedWhenItsServerIsBack() async throws {
        let folder = NSTemporaryDirectory() + "named-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = NameServer(folder: folder, port: try freePort())
        try server.write(nodes: ["node-1", "node-2", "node-3"], primary: "node-1")
        let fixture = try fixture(server)
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture, "node-1")
            agents.set("node-1", .stopped)
            try await undone(fixture)
            let shown = try await Programs.run(["status"] + fixture.access)
            #expect(shown.output.contains("UNDONE dns-rfc2136 at dns_flip"), "\(shown.output)")
            fixture.kill()
            try await fixture.start()
            try await undone(fixture)

            let named = try Background(
                Array(server.argv.dropFirst()), program: server.argv[0],
                log: fixture.folder.path + "/named.log")
            defer { named.kill(SIGKILL) }
            try await healthy(fixture, "node-2")
            #expect(try await record(server) == "node-2.demo.test.")

            // Away again at the next move; then a third move finds a record that names neither.
            named.kill(SIGKILL)
            agents.set("node-2", .stopped)
            try await undone(fixture)
            let dismissed = try await Programs.run(
                [
                    "hooks", "dismiss", "--cluster", "demo", "--pack", "dns-rfc2136", "--reason",
                    "the name server is being moved",
                ] + fixture.access)
            #expect(dismissed.exitCode == 0, "\(dismissed.errors)")
            let second = try Background(
                Array(server.argv.dropFirst()), program: server.argv[0],
                log: fixture.folder.path + "/named-2.log")
            defer { second.kill(SIGKILL) }
            try await healthy(fixture, "node-1")
            _ = try await eventually("the name server is back with the old record") {
                try await record(server) == "node-2.demo.test." ? true : nil
            }
            _ = try await fixture.send(
                "POST", "switchover",
                body: Array(
                    #"{"cluster_id":"demo","target_node_id":"node-3","reason":"works"}"#.utf8))
            try await healthy(fixture, "node-3")
            #expect(try await record(server) == "node-3.demo.test.")
        }
        let ends = try await fixture.entries().filter { $0["kind"]?.string == "hook_settled" }
            .compactMap { $0["body"]?["end"]?.string }
        #expect(ends == ["done", "dismissed"])
    }
}
