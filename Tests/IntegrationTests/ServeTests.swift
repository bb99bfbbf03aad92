import ContinuityCore
import Foundation
import Glibc
import Testing

/// `continuity serve` as a process: durability, restarts, its API's manners, its refusals.
@Suite(.serialized) struct ServeTests {
    private static let manual = "policy_id: p\nstrategy: manual\n"

    @Test func noAlertIsLostWhenServerAndReceiverAreBothAway() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        try await fixture.start()
        try await fixture.report(primary: .running)
        try await fixture.report(primary: .stopped)
        let entries = try await fixture.entries()
        #expect(entries.contains { $0["kind"]?.string == "alert_queued" })
        #expect(!entries.contains { $0["kind"]?.string == "alert_delivered" })
        // Nobody has taken the alert; now the server dies, and comes back before the receiver.
        fixture.kill()
        try await fixture.start()

        let receiver = try AlertReceiver(
            port: fixture.alertPort, secret: ServeFixture.secret)
        try await withThrowingTaskGroup { group in
            group.addTask { try await receiver.run() }
            _ = try await eventually("the alerts are delivered") {
                let now = try await fixture.entries().map { $0["kind"]?.string }
                let queued = now.count { $0 == "alert_queued" }
                return now.count { $0 == "alert_delivered" } == queued ? true : nil
            }
            group.cancelAll()
        }
        #expect(receiver.refusals == 0)
        let queued = try #require(
            entries.first {
                $0["body"]?["alert"]?["type"]?.string == "continuity.hold.set"
            }?["body"]?["alert"]?["alert_id"]?.string)
        let event = try #require(receiver.accepted.first { $0.id == queued })
        let body = try JSONDecoder().decode(JSONValue.self, from: Data(event.body.utf8))
        #expect(body["specversion"]?.string == "1.0")
        #expect(body["type"]?.string == "continuity.hold.set")
        fixture.kill(SIGTERM)
        let verdict = try await Programs.run(
            "audit", "verify", "--journal", fixture.journalFile, "--json")
        #expect(verdict.exitCode == 0, "\(verdict.errors)")
    }

    @Test func statusHoldsAndAuditAreToldToPeople() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        try await fixture.start()
        try await fixture.report(primary: .running)
        try await fixture.report(primary: .stopped)
        let access = [
            "--server", "http://127.0.0.1:\(fixture.port)", "--token-file",
            fixture.folder.path + "/token",
        ]
        let table = try await Programs.run(["status"] + access)
        #expect(table.exitCode == 0)
        #expect(table.output.contains("demo  DEGRADED  primary node-1"), "\(table.output)")
        #expect(table.output.contains("HOLD strategy_manual"), "\(table.output)")
        let json = try await Programs.run(["status", "--json"] + access)
        let status = try JSONDecoder().decode(JSONValue.self, from: Data(json.output.utf8))
        let hold = status["clusters"]?.array?.first?["holds"]?.array?.first
        #expect(hold?["rule"]?.string == "strategy_manual")

        let list = try await Programs.run(["audit", "list", "--kind", "hold_changed"] + access)
        #expect(list.output.contains("strategy_manual"), "\(list.output)")
        let show = try await Programs.run(["audit", "show", "1", "--json"] + access)
        #expect(show.output.contains(#""kind":"leadership_started""#), "\(show.output)")
        #expect(try await Programs.run(["audit", "show", "9999"] + access).exitCode == 1)

        let unknown = try await Programs.run(
            ["failover", "--cluster", "orders", "--reason", "x"] + access)
        #expect(unknown.exitCode == 1)
        #expect(unknown.errors.contains("no cluster 'orders'"), "\(unknown.errors)")
        let refused = try await Programs.run(
            ["switchover", "--cluster", "demo", "--reason", "x"] + access)
        #expect(refused.exitCode == 3)
        #expect(refused.errors.contains("request a failover"), "\(refused.errors)")
    }

    @Test func problemsAreProblems() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        try await fixture.start()
        let cases: [(String, String, String, String, Int)] = [
            ("GET", "status", "", "wrong-token", 401),
            ("GET", "audit?after=-1", "", ServeFixture.token, 400),
            ("GET", "audit/77", "", ServeFixture.token, 404),
            ("POST", "failover", "{", ServeFixture.token, 400),
            ("POST", "failover", "{}", ServeFixture.token, 400),
            ("POST", "failover", #"{"cluster_id":"x"}"#, ServeFixture.token, 404),
            ("POST", "agent/report", #"{"cluster_id":7}"#, ServeFixture.token, 400),
        ]
        for (method, path, body, token, status) in cases {
            let answer = try await fixture.send(
                method, path, body: Array(body.utf8), token: token)
            #expect(answer.status == status, "\(method) \(path) \(body)")
            #expect(answer.type == "application/problem+json")
            #expect(answer.json["status"]?.int == Int64(status))
            #expect(answer.json["detail"]?.string?.isEmpty == false)
        }
    }

    @Test func whatServeCannotStartWithIsOneClearLine() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        try await fixture.start()
        func refusal(_ change: (String) -> String) async throws -> String {
            let text = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
            let file = try fixture.folder.write(change(text), to: "other.yaml")
            let result = try await Programs.run("serve", "--config", file)
            #expect(result.exitCode == 65, "\(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            return result.errors
        }
        let spare = try freePort()
        #expect(try await refusal { $0 }.contains("cannot listen on"))
        #expect(
            try await refusal { $0.replacing(":\(fixture.port)", with: ":\(spare)") }.contains(
                "in use by another"))
        #expect(
            try await refusal { $0.replacing("127.0.0.1:", with: "0.0.0.0:") }
                .contains("without TLS"))
        #expect(
            try await refusal { $0.replacing("cluster.yaml", with: "absent.yaml") }
                .contains("absent.yaml: does not exist"))
        #expect(try await refusal { $0 + "hooks: {packs: [nowhere]}\n" }.contains("nowhere"))
        #expect(
            try await refusal { $0.replacing("journal:", with: "jurnal:") }.contains("'journal'"))
    }

    /// A server without alert channels once ended by itself: its outbox had nothing to do.
    @Test func itRunsWithoutChannelsAndEndsCleanlyOnSIGTERM() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        let text = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
        try fixture.folder.write(
            String(text.prefix(upTo: try #require(text.range(of: "alerts:")).lowerBound)),
            to: "serve.yaml")
        try await fixture.start()
        try await fixture.report(primary: .running)
        #expect(fixture.terminate() == 0, "\(fixture.log)")
    }

    @Test func aDamagedJournalIsRefusedWithItsEntry() async throws {
        let fixture = try ServeFixture(policy: Self.manual)
        try await fixture.start()
        try await fixture.report(primary: .running)
        fixture.kill(SIGTERM)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: fixture.journalFile))
        let place = try #require(bytes.range(of: Data(#""from":"unknown""#.utf8)))
        bytes[place.lowerBound + 8] ^= 1
        try bytes.write(to: URL(fileURLWithPath: fixture.journalFile))
        for arguments in [
            ["serve", "--config", fixture.configFile],
            ["audit", "verify", "--journal", fixture.journalFile],
        ] {
            let result = try await Programs.run(arguments)
            #expect(result.exitCode == 65)
            #expect(result.errors.contains("the journal is damaged at entry"), "\(result.errors)")
        }
    }
}
