import ContinuityCore
import Testing

/// A mistake of this program in one cluster takes that cluster out, and no other.
@Suite struct QuarantineTests {
    /// A run that takes more steps than it may: the bound is set below what any failover needs.
    private func faulty() -> TestWorld {
        var world = TestWorld()
        world.orchestrator = Orchestrator(
            state: OrchestratorState(), digest: .real, runStepsMax: 2)
        world.journal = []
        world.start()
        world.settle()
        return world
    }

    @Test func theRunFailsAndTheClusterIsHeld() throws {
        var world = faulty()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 60_000)
        #expect(world.finishedRuns.map(\.state) == [.failed], "no other run begins by itself")
        #expect(world.finishedRuns[0].reason.contains("more than 2 steps at once"))
        #expect(world.state.hold?.rule == .internalFault)
        #expect(world.alerts("continuity.internal_fault").map(\.severity) == [.critical])
        #expect(world.kinds.contains("cluster_quarantined"))
        // The process is there, and answers.
        guard case .report? = world.heartbeat("node-2") else {
            Issue.record("a report is not answered")
            return
        }
    }

    @Test func aRestartForgetsNothingAndAPersonResumes() throws {
        var world = faulty()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 20_000)
        #expect(world.finishedRuns.count == 1)
        #expect(world.state.hold?.rule == .internalFault)
        let reply = world.step(.order(.resume("demo", reason: "mended"), by: "ana"))
        guard case .noted? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        world.run(forMs: 20_000)
        #expect(world.finishedRuns.map(\.state) == [.failed, .committed])
        #expect(world.state.hold == nil)
    }

    @Test func anArrangedMoveWaitsForThePerson() throws {
        var world = faulty()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        world.services["node-1"]?.state = .running
        world.run(forMs: 10_000)
        #expect(world.state.status(of: "node-1") == .healthy)
        #expect(world.state.hold?.rule == .internalFault, "it is shown while all is well, too")
        world.step(
            .order(
                .schedule(
                    ScheduleWish(
                        clusterID: "demo", kind: .switchover, targetNodeID: nil,
                        atMs: world.now.utcMs + 1000, windowS: 60, reason: "kernel")),
                by: "ana"))
        world.run(forMs: 5000)
        #expect(world.state.scheduledHold?.rule == .internalFault)
    }

    @Test func aDrillThatTakesTooManyStepsEndsAlone() {
        var world = TestWorld()
        world.orchestrator = Orchestrator(
            state: OrchestratorState(), digest: .real, runStepsMax: 1)
        world.journal = []
        world.start()
        world.settle()
        world.step(
            .drill(
                DrillRequest(
                    clusterID: "demo", scenario: .primaryFailure, reason: "monthly",
                    requestedBy: "ana")))
        #expect(world.state.drill == nil)
        #expect(world.state.lastDrill?.state == .failed)
        #expect(world.alerts("continuity.internal_fault").count == 1)
        #expect(world.state.quarantine == nil)
    }
}
