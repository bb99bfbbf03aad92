import ContinuityCore
import Foundation
import Testing

/// What a move's command says when it ends, and the story of a run.
@Suite(.serialized) struct RunCommandTests {
    private func withServer(
        _ policy: String, _ body: (ServeFixture, PlayedAgents) async throws -> Void
    ) async throws {
        let fixture = try ServeFixture(policy: policy)
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("all is well") {
                let status = try await fixture.send("GET", "status").json
                return status["clusters"]?.array?.first?["state"]?.string == "HEALTHY"
                    ? true : nil
            }
            try await body(fixture, agents)
        }
    }

    private static func move(_ fixture: ServeFixture, _ more: String...) async throws
        -> Programs.Result
    {
        try await Programs.run(
            ["switchover", "--cluster", "demo", "--reason", "test"] + more + fixture.access)
    }

    @Test func aMoveIsWaitedForAndItsStoryIsTold() async throws {
        try await withServer("policy_id: p\nstrategy: manual\napprovals: {switchover: 0}\n") {
            fixture, _ in
            let done = try await Self.move(fixture, "--target", "node-2", "--wait")
            #expect(done.exitCode == 0, "\(done.errors)")
            #expect(done.output.contains("is committed after"), "\(done.output)")
            let run = try #require(
                done.output.firstMatch(of: #/run-[0-9a-f]{16}/#).map { String($0.output) })
            let shown = try await Programs.run(["run", "show", run] + fixture.access)
            #expect(shown.exitCode == 0, "\(shown.errors)")
            for word in ["planned", "admitted", "promoted   ", "node-2 is primary", "committed"] {
                #expect(shown.output.contains(word), "\(word): \(shown.output)")
            }
            let newest = try await Programs.run(
                ["run", "show", "--journal", fixture.journalFile, "--json"])
            #expect(newest.exitCode == 0, "\(newest.errors)")
            let lines = try newest.output.split(separator: "\n").map {
                try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))
            }
            #expect(lines.contains { $0["label"]?.string == "committed" })
            #expect(lines.allSatisfy { $0["offset_ms"]?.int != nil && $0["seq"]?.int != nil })
            let list = try await Programs.run(["run", "list", "--journal", fixture.journalFile])
            #expect(list.output.contains(run) && list.output.contains("committed"))
            let none = try await Programs.run(
                ["run", "show", "run-0000000000000000"] + fixture.access)
            #expect(none.exitCode == 1 && none.errors.contains("no run"), "\(none.errors)")
        }
    }

    @Test func waitingForConsentIsNoBeginning() async throws {
        try await withServer("policy_id: p\nstrategy: manual\napprovals: {switchover: 1}\n") {
            fixture, _ in
            let asked = try await Self.move(fixture, "--target", "node-2")
            #expect(asked.exitCode == 5, "\(asked.errors)")
            #expect(asked.errors.contains("waits for consent"), "\(asked.errors)")
            let id = try #require(
                asked.output.firstMatch(of: #/approval-[0-9a-f]+/#).map { String($0.output) })
            let refuse = try await Programs.run(
                ["refuse", id, "--cluster", "demo", "--reason", "no", "--requested-by", "bob"]
                    + fixture.access)
            #expect(refuse.exitCode == 0, "\(refuse.errors)")
            async let waiting = Self.move(fixture, "--target", "node-2", "--wait")
            let second = try await eventually("it waits") {
                let status = try await fixture.send("GET", "status").json
                return status["clusters"]?.array?.first?["approval"]?["approval_id"]?.string
            }
            let no = try await Programs.run(
                ["refuse", second, "--cluster", "demo", "--reason", "no", "--requested-by", "bob"]
                    + fixture.access)
            #expect(no.exitCode == 0, "\(no.errors)")
            let ended = try await waiting
            #expect(ended.exitCode == 3, "\(ended.errors)")
            #expect(ended.errors.contains("is refused"), "\(ended.errors)")
        }
    }

    @Test func aMoveThatFailsIsNoSuccess() async throws {
        try await withServer("policy_id: p\nstrategy: manual\napprovals: {switchover: 0}\n") {
            fixture, agents in
            agents.set("node-2", .stopped)
            let refused = try await Self.move(fixture, "--target", "node-2", "--wait")
            #expect([1, 3].contains(refused.exitCode), "\(refused.output) \(refused.errors)")
        }
    }

    /// Losing protection is told, with the reason, and so is its end; `status` shows why.
    @Test func losingProtectionIsTold() async throws {
        try await withServer("policy_id: p\nstrategy: manual\n") { fixture, agents in
            let receiver = try AlertReceiver(
                port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            agents.refuses(.rejoin, true)
            agents.set("node-2", .stopped)
            _ = try await eventually("it is told") {
                receiver.accepted.contains {
                    $0.body.contains("continuity.cluster.degraded")
                        && $0.body.contains("node-2 is failed")
                } ? true : nil
            }
            let status = try await Programs.run(["status"] + fixture.access)
            #expect(
                status.output.contains("node-2 is failed: its agent reports the service stopped"),
                "\(status.output)")
            agents.set("node-3", .stopped)
            _ = try await eventually("the second one too") {
                receiver.accepted.contains {
                    $0.body.contains("continuity.node.lost") && $0.body.contains("node-3")
                        && $0.body.contains("no node could take over from node-1")
                } ? true : nil
            }
            agents.refuses(.rejoin, false)
            _ = try await eventually("its end is told") {
                receiver.accepted.contains { $0.body.contains("continuity.cluster.healthy") }
                    ? true : nil
            }
        }
    }
}
