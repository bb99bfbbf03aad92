import ContinuityCore
import Testing

@Suite struct DetectionTests {
    @Test func aClusterThatReportsBecomesHealthy() {
        var world = TestWorld()
        world.settle()
        #expect(world.state.health == .healthy)
        #expect(world.state.statuses.values.allSatisfy { $0 == .healthy })
        #expect(world.state.hold == nil)
        #expect(world.journal.count < 10, "quiet operation must not fill the journal")
        let before = world.journal.count
        world.run(forMs: 60_000)
        #expect(world.journal.count == before)
    }

    @Test func aDeadServiceOnALivingHostIsActedOnAtTheReport() {
        var world = TestWorld()
        world.settle()
        let before = world.nowMs
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.nowMs == before)
        #expect(world.state.primary == "node-2")
    }

    @Test func silenceAloneFailsNobodyThatPeersStillReach() {
        var world = TestWorld()
        world.settle()
        world.run(forMs: 20_000, silent: ["node-1"])
        #expect(world.state.primary == "node-1")
        #expect(world.state.status(of: "node-1") == .unknown)
        #expect(world.holds.contains(.peersReachPrimary))
        #expect(world.finishedRuns.isEmpty)
        // Heard again: the hold ends, and nothing else has happened.
        world.settle()
        #expect(world.state.hold == nil)
        #expect(world.state.health == .healthy)
    }

    @Test func anAgentThatDiedAloneDoesNotMoveItsLivingService() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-1")
        #expect(world.holds == [.peersReachPrimary])
    }

    @Test func withoutQuorumNothingMoves() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.services["node-1"]?.agentIsUp = false
        world.services["node-3"]?.agentIsUp = false
        world.services["node-3"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.health == .critical)
        #expect(world.state.hold?.rule == .noQuorum)
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func aSecondaryThatLosesItsNetworkDoesNotMoveTheHealthyPrimary() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.agentIsUp = false
        for _ in 0..<20 {
            world.nowMs += 500
            world.heartbeat("node-1")
            world.heartbeat("node-2", views: ["node-1": .unreachable])
            world.step(.tick)
        }
        #expect(world.state.primary == "node-1")
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func anObserverThatStalledDistrustsItselfFirst() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.nowMs += 10_000
        world.step(.tick)
        #expect(world.state.status(of: "node-1") == .healthy, "the windows have begun anew")
        world.run(forMs: 6_000)
        #expect(world.state.primary == "node-2")
    }

    @Test func aLateReportOfTheSameBootIsIgnored() {
        var world = TestWorld()
        world.settle()
        let stale = NodeReport(
            clusterID: "demo", nodeID: "node-1", bootID: "boot", sequence: 1, highestEpoch: 0,
            service: ServiceReport(state: .stopped, role: .unknown), peers: [:])
        world.step(.report(stale))
        #expect(world.state.primary == "node-1")
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func aFailingProbeDegradesAtOnceAndFailsAfterTheThreshold() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .failing
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-1") == .degraded)
        world.run(forMs: 2_000)
        #expect(world.state.primary == "node-1")
        world.run(forMs: 3_000)
        #expect(world.state.primary == "node-2")
        #expect(world.fenceProofs.map(\.proof) == [.receipt])
    }

    @Test func recoveryTakesAsManyGoodReportsAsThePolicySays() {
        var policy = samplePolicy()
        policy.detection = DetectionSettings(
            intervalMs: 1000, failureThreshold: 3, recoveryThreshold: 3)
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-3"]?.state = .stopped
        world.holdsEffects = true
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-3") == .failed)
        world.services["node-3"]?.state = .running
        world.run(forMs: 2_000)
        #expect(world.state.status(of: "node-3") == .failed)
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-3") == .healthy)
    }

    @Test func aPrimaryThatWasNeverSeenIsNotFailedOver() {
        var world = TestWorld()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .neverHealthy)
    }
}
