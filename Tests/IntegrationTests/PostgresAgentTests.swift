import ContinuityCore
import ContinuityHTTP
import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// Real servers, agents and `serve`, and the programs that stand beside them in an installation.
@Suite(.serialized) struct PostgresAgentTests {
    private static let policy = """
        policy_id: p
        strategy: automatic
        detection: {profile: lan}
        cooldown_s: 0
        """

    /// Superusers hold every slot for longer than any detection takes: nobody is fenced, and the
    /// sessions go on.
    @Test func aBusyPrimaryIsNotFenced() async throws {
        try await PostgresFixture.run(policy: Self.policy, packs: [], builtInStatus: true) {
            fixture in
            // Roles, starts and timelines; WAL goes on.
            func servers() async throws -> [Substring] {
                try await fixture.facts().compactMap { facts in
                    facts.lastIndex(of: "|").map { facts[..<$0] }
                }
            }
            let before = try await servers()
            let primary = fixture.postgres.nodes[0]
            #expect(try await fixture.service(of: primary.id)?["synchronous"] == true)
            var holders: [Background] = []
            // Until none is left for anybody: the agent's own sessions come and go.
            let told = try await eventually("status tells why it cannot be asked") {
                while holders.count < 80, holders.filter(\.isRunning).count < 41 {
                    let argv = primary.psql("SELECT pg_sleep(35)")
                    holders.append(
                        try Background(
                            Array(argv.dropFirst()), program: argv[0],
                            log: fixture.folder.path + "/holder-\(holders.count)"))
                }
                let service = try await fixture.service(of: primary.id)
                return service?["detail"]?.string?.contains("too many clients") == true
                    ? service : nil
            }
            #expect(told["state"] == "running" && told["role"] == "primary", "\(told)")
            try await Task.sleep(for: .seconds(8))
            #expect(holders.filter(\.isRunning).count >= 35, "the sessions go on")
            #expect(try await fixture.entries("run_finished").isEmpty)
            _ = try await eventually("the sessions end", within: .seconds(60)) {
                holders.contains(where: \.isRunning) ? nil : true
            }
            try await fixture.healthy()
            let after = try await servers()
            #expect(after == before, "\(before), then \(after)")
        }
    }

    /// With no path, with Patroni's paths, with each method.
    @Test func haproxysUsualChecksFindThePrimary() async throws {
        try await PostgresFixture.run(policy: Self.policy, packs: []) { fixture in
            let checks = [
                ("plain", "option httpchk"), ("options", "option httpchk OPTIONS /primary"),
                ("head", "option httpchk HEAD /primary"), ("get", "option httpchk GET /primary"),
                ("replica", "option httpchk OPTIONS /replica"),
            ]
            let port = try freePort()
            var text = """
                global
                    log stderr format raw local0 info
                defaults
                    mode tcp
                    timeout connect 1s
                    timeout client 5s
                    timeout server 5s
                    timeout check 2s
                frontend stats
                    mode http
                    bind 127.0.0.1:\(port)
                    stats enable
                    stats uri /

                """
            for (name, check) in checks {
                text += "backend \(name)\n    \(check)\n    http-check expect status 200\n"
                for (index, node) in fixture.postgres.nodes.enumerated() {
                    text +=
                        "    server \(node.id) \(node.address) check port "
                        + "\(fixture.agentPorts[index]) inter 200ms fall 1 rise 1\n"
                }
            }
            try fixture.folder.write(text, to: "haproxy.cfg", mode: 0o644)
            let haproxy = try Background(
                ["-db", "-f", fixture.folder.path + "/haproxy.cfg"], program: "/usr/sbin/haproxy",
                log: fixture.folder.path + "/haproxy.log")
            let wanted = checks.flatMap { name, _ in
                (1...3).map { index in
                    let isUp = name == "replica" ? index != 1 : index == 1
                    return "\(name)/node-\(index) \(isUp ? "UP" : "DOWN")"
                }
            }.sorted()
            let client = ContinuityHTTP.HTTPClient(maxConcurrent: 1)
            defer { client.shutdown() }
            var last: [String] = []
            do {
                _ = try await eventually("HAProxy sees one primary and two replicas") {
                    () -> Bool? in
                    let sent = try? await client.send(
                        .init(url: "http://127.0.0.1:\(port)/;csv", timeout: .seconds(5)))
                    guard let answer = sent else { return nil }
                    let text = String(decoding: answer.body, as: UTF8.self)
                    last = text.split(separator: "\n").compactMap {
                        let fields = $0.split(separator: ",", omittingEmptySubsequences: false)
                        guard fields.count > 17, fields[1].hasPrefix("node-") else { return nil }
                        return "\(fields[0])/\(fields[1]) \(fields[17].prefix { $0 != " " })"
                    }.sorted()
                    return last == wanted ? true : nil
                }
            } catch {
                throw WaitedInVain(what: "\(wanted), last \(last)")
            }
            haproxy.kill(SIGKILL)
        }
    }
}
