import ContinuityCore
import Foundation
import Testing

/// What a real `serve` makes of answers that are none (issue 13, 3): the order may have been
/// carried out, and only its agent's own word on this very order tells.
@Suite(.serialized) struct OrderDeliveryTests {
    private func cluster(_ fixture: ServeFixture) async throws -> JSONValue? {
        try await fixture.send("GET", "status").json["clusters"]?.array?.first
    }

    private func healthy(_ fixture: ServeFixture) async throws {
        _ = try await eventually("a healthy cluster") {
            try await cluster(fixture)?["state"]?.string == "HEALTHY" ? true : nil
        }
    }

    private func promotions(_ agents: PlayedAgents) -> Set<NodeID> {
        Set(agents.orders.filter { $0.name == .promote }.map(\.nodeID))
    }

    @Test(arguments: [[503], [429, 401], [500, 502, 404]])
    func aLostAnswerIsAskedForAgain(_ statuses: [Int]) async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\ncooldown_s: 0\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture)
            agents.answers(.promote, with: [503] + statuses)
            agents.set("node-1", .stopped)
            _ = try await eventually("node-2 is the primary") {
                try await cluster(fixture)?["primary_node_id"]?.string == "node-2" ? true : nil
            }
        }
        #expect(promotions(agents) == ["node-2"])
    }

    /// It was promoted, and no answer ever says so: nobody else is.
    @Test func anOrderThatIsNeverAnsweredIsInDoubt() async throws {
        let fixture = try ServeFixture(
            policy: "policy_id: p\ncooldown_s: 0\nmax_failover_time_s: 3\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            try await healthy(fixture)
            agents.answers(.promote, with: Array(repeating: 503, count: 20))
            agents.set("node-1", .stopped)
            _ = try await eventually("node-2 is the primary in the end") {
                try await cluster(fixture)?["primary_node_id"]?.string == "node-2" ? true : nil
            }
        }
        #expect(promotions(agents) == ["node-2"])
        let failed = try await fixture.entries().filter {
            $0["kind"]?.string == "run_finished" && $0["body"]?["state"]?.string == "failed"
        }
        #expect(!failed.isEmpty, "the first run did not end in doubt")
    }
}
