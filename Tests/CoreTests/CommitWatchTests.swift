import ContinuityCore
import Testing

/// A policy that allows no loss, and a primary that does or does not wait for another node.
@Suite struct CommitWatchTests {
    private func world(
        rpoS: Int64 = 0, strategy: FailoverPolicy.Strategy = .automatic, isSynchronous: Bool?
    ) -> TestWorld {
        var policy = samplePolicy()
        policy.rpoS = rpoS
        policy.strategy = strategy
        var world = TestWorld(policy: policy)
        world.services["node-1"]?.isSynchronous = isSynchronous
        world.settle()
        return world
    }

    private func status(_ world: TestWorld) throws -> ClusterStatus {
        try #require(world.orchestrator.statusReport(at: world.now).clusters.first)
    }

    @Test func aClusterThatMayLoseNothingAndIsNotSynchronousIsDegradedWithAnAlert() throws {
        var world = world(isSynchronous: true)
        #expect(try status(world).replicationTrouble == nil)
        #expect(world.state.health == .healthy)

        world.services["node-1"]?.isSynchronous = false
        world.run(forMs: world.policy.detection.silenceMs + 1000)
        let text = "node-1 acknowledges writes that no other node holds"
        #expect(try status(world).replicationTrouble?.hasPrefix(text) == true)
        #expect(world.state.health == .degraded)
        #expect(world.state.healthEvidence.contains(text))
        let alerts = world.alerts("continuity.cluster.degraded")
        #expect(alerts.count == 1 && alerts.first?.summary.contains(text) == true)
        #expect(
            world.state.run == nil && world.state.primary == "node-1", "nothing is moved for it")

        world.services["node-1"]?.isSynchronous = true
        world.run(forMs: 30_000)
        #expect(world.state.health == .degraded, "a server may say both in turn")
        world.run(forMs: 35_000)
        #expect(world.state.health == .healthy)
        #expect(world.alerts("continuity.cluster.healthy").count == 1)
    }

    @Test func whatTheStatusProgramDoesNotSayIsNotKnown() throws {
        let world = world(isSynchronous: nil)
        let trouble = try status(world).replicationTrouble
        #expect(trouble?.contains("does not say whether commits wait") == true)
        #expect(world.state.health == .healthy)
    }

    @Test func aSilentPrimaryIsNotKnown() throws {
        var world = world(strategy: .manual, isSynchronous: true)
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 2 * world.policy.detection.silenceMs)
        #expect(world.state.primary == "node-1")
        let trouble = try status(world).replicationTrouble
        #expect(trouble?.contains("is not known") == true)
    }

    @Test func aPolicyThatAllowsALossAsksForNothing() throws {
        var world = world(rpoS: 5, isSynchronous: false)
        world.run(forMs: 10_000)
        #expect(try status(world).replicationTrouble == nil)
        #expect(world.state.health == .healthy)
    }

    @Test func whoSaysBothInTurnWritesAtMostOneChangeAMinute() {
        var world = world(isSynchronous: true)
        let before = world.kinds.count { $0 == "cluster_state_changed" }
        for round in 0..<100 {
            world.services["node-1"]?.isSynchronous = round % 2 == 0 ? false : true
            world.run(forMs: 4000)
        }
        let changes = world.kinds.count { $0 == "cluster_state_changed" } - before
        #expect(changes == 1, "400 seconds, never a minute of the same")
    }
}
