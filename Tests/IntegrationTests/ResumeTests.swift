import ContinuityCore
import Foundation
import Testing

/// `serve` is killed while an agent carries out an order, and the effects are counted.
@Suite(.serialized) struct ResumeTests {
    private static let policy = "policy_id: p\nstrategy: manual\napprovals: {switchover: 0}\n"

    /// For each order of a switchover: it has gone out and has had its effect; `serve` dies before
    /// its result is journaled; the order ends while nobody is there to hear of it; the next
    /// `serve` asks by the same key, and the agent answers from memory.
    @Test func anOrderWhoseResultWasLostIsAskedForAndNotDoneAgain() async throws {
        let fixture = try ServeFixture(policy: Self.policy)
        let agents = ScriptedAgents(fixture)
        defer { agents.stop() }
        try await agents.start()
        try await fixture.start()
        try await healthy(fixture, "node-1", agents)

        let orders: [(node: String, name: AgentCommand.Name)] = [
            ("node-1", .demote), ("node-2", .promote), ("node-3", .follow), ("node-1", .rejoin),
        ]
        for order in orders { try agents.close(order.node, order.name) }
        let body: JSONValue = [
            "cluster_id": "demo", "reason": "test", "requested_by": "test",
            "target_node_id": "node-2",
        ]
        let asked = try await fixture.send(
            "POST", "switchover", body: CanonicalJSON.bytes(body))
        let run = try #require(asked.json["run_id"]?.string, "\(asked.json)")
        for order in orders {
            try await loseTheResult(of: order.name, on: order.node, fixture, agents)
        }

        try await healthy(fixture, "node-2", agents)
        #expect(agents.deeds("node-1").filter { $0 != "prepare" } == ["demote", "rejoin"])
        #expect(agents.deeds("node-2") == ["promote"])
        #expect(agents.deeds("node-3") == ["follow"])
        let ends = try await bodies("run_finished", fixture)
        #expect(ends.map { $0["run_id"]?.string } == [run])
        #expect(ends.first?["state"]?.string == "committed", "\(ends)")
        #expect(fixture.terminate() == 0)
        let verdict = try await Programs.run("audit", "verify", "--journal", fixture.journalFile)
        #expect(verdict.exitCode == 0, "\(verdict.errors)")
    }

    private func loseTheResult(
        of name: AgentCommand.Name, on node: String, _ fixture: ServeFixture,
        _ agents: ScriptedAgents
    ) async throws {
        _ = try await eventually("\(node) has done \(name): \(fixture.log.suffix(2000))") {
            agents.deeds(node).contains(name.rawValue) ? true : nil
        }
        let intended = try await bodies("operation_intended", fixture)
            .compactMap { $0["operation"] }
            .filter { $0["command"]?.string == name.rawValue && $0["node_id"]?.string == node }
        let key = try #require(intended.last?["key"]?.string)
        #expect(intended.count == 1)
        #expect(try await results(of: key, fixture).isEmpty)
        fixture.kill()
        agents.open(node, name)
        _ = try await eventually("\(node) is through with \(key)") {
            agents.hasEnded(node, key: key) ? true : nil
        }
        try await fixture.start()
        let result = try await eventually("the result of \(key) is journaled") {
            try await results(of: key, fixture).first
        }
        #expect(result["outcome"]?.string == "ok", "\(result)")
        #expect(try await results(of: key, fixture).count == 1)
    }

    private func results(of key: String, _ fixture: ServeFixture) async throws -> [JSONValue] {
        try await bodies("operation_finished", fixture)
            .filter { $0["operation"]?.string == key }.compactMap { $0["result"] }
    }

    private func bodies(_ kind: String, _ fixture: ServeFixture) async throws -> [JSONValue] {
        try await fixture.entries().filter { $0["kind"]?.string == kind }.compactMap { $0["body"] }
    }

    private func healthy(
        _ fixture: ServeFixture, _ primary: String, _ agents: ScriptedAgents
    ) async throws {
        var last = JSONValue.null
        do {
            _ = try await eventually("the cluster is healthy", within: .seconds(40)) {
                last = try await fixture.send("GET", "status").json
                let cluster = last["clusters"]?.array?.first
                return cluster?["state"]?.string == "HEALTHY"
                    && cluster?["primary_node_id"]?.string == primary ? true : nil
            }
        } catch {
            throw WaitedInVain(what: "healthy: \(last)\n\(agents.log(primary).suffix(3000))")
        }
    }
}
