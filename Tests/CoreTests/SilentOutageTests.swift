import ContinuityCore
import Testing

/// No state in which nobody can write is silent.
@Suite struct SilentOutageTests {
    /// It recovers for a long time after a crash, and its status program cannot say as what.
    @Test func aPrimaryThatDoesNotTellItsRoleIsNotHealthy() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.role = .unknown
        world.run(forMs: 2_000)
        #expect(world.state.health == .healthy, "an agent that has just begun to look")
        world.run(forMs: 3_000)
        #expect(world.state.health == .degraded)
        #expect(world.state.evidence["node-1"] == "runs and does not tell its role")
        #expect(world.alerts("continuity.cluster.degraded").count == 1)
        #expect(world.finishedRuns.isEmpty && world.state.run == nil, "it may be a primary")
        world.run(forMs: 3_000)
        let told = world.alerts("continuity.cluster.no_primary")
        #expect(told.map(\.severity) == [.critical])
        #expect(told.first?.summary.hasSuffix("runs and does not tell its role") == true)
        world.services["node-1"]?.role = .primary
        world.run(forMs: 3_000)
        #expect(world.state.health == .healthy)
        #expect(world.alerts("continuity.cluster.primary").count == 1)
        world.run(forMs: 30_000)
        #expect(world.alerts("continuity.cluster.no_primary").count == 1)
    }

    /// Both secondaries are gone, and the server acknowledges nothing without one.
    @Test(arguments: [true, false])
    func aSynchronousPrimaryWithoutASecondaryIsToldAsAnOutage(_ isSynchronous: Bool) {
        var world = TestWorld()
        world.services["node-1"]?.isSynchronous = isSynchronous
        world.settle()
        for node in ["node-2", "node-3"] as [NodeID] { world.services[node]?.agentIsUp = false }
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 10_000)
        let told = world.alerts("continuity.cluster.unfollowed")
        #expect(told.map(\.severity) == (isSynchronous ? [.critical] : []))
        guard isSynchronous else { return }
        #expect(told.first?.summary.hasSuffix("commits wait until one does") == true)
        for node in ["node-2", "node-3"] as [NodeID] { world.services[node]?.agentIsUp = true }
        world.services["node-2"]?.state = .running
        world.run(forMs: 20_000)
        #expect(world.alerts("continuity.cluster.followed").count == 1)
    }
}
