import ContinuityCore
import Testing

@Suite struct FlapTests {
    @Test func theCooldownDoublesUpToItsBound() {
        var policy = samplePolicy()
        policy.cooldownS = 60
        #expect(
            (0...9).map(policy.cooldownS(afterFailovers:)) == [
                60, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600,
            ])
        #expect(policy.cooldownS(afterFailovers: .max) == 3600)
        policy.cooldownS = 7200
        #expect(policy.cooldownS(afterFailovers: 5) == 7200, "never shorter than cooldown_s")
        policy.cooldownS = 0
        #expect(policy.cooldownS(afterFailovers: 5) == 0)
    }

    private func failOver(_ world: inout TestWorld) {
        let primary = world.state.primary
        world.services[primary]?.state = .stopped
        world.heartbeat(primary)
        world.settle()
    }

    @Test func itGrowsWithFinishedFailoversAndDecays() throws {
        var policy = samplePolicy()
        policy.cooldownS = 10
        policy.flap = FlapSettings(windowS: 60, cooldownMaxS: 25)
        var world = TestWorld(policy: policy)
        world.settle()
        failOver(&world)
        #expect(world.state.term == 2)
        failOver(&world)
        #expect(world.state.hold?.rule == .cooldown)
        world.run(forMs: 11_000)
        #expect(world.state.term == 3)
        // The second one within the window: twice as long, told once, through a restart too.
        failOver(&world)
        let hold = try #require(world.state.hold)
        #expect(hold.rule == .flapBackoff)
        let last = try #require(world.state.lastRun)
        #expect(hold.earliestAtMs == last.finishedAtMs + 20_000)
        world.run(forMs: 5_000)
        #expect(world.holds.count { $0 == .flapBackoff } == 1)
        world.run(forMs: 20_000)
        #expect(world.state.term == 4)
        failOver(&world)
        #expect(
            world.state.hold?.earliestAtMs == (world.state.lastRun?.finishedAtMs ?? 0) + 25_000)
        world.run(forMs: 30_000)
        #expect(world.state.term == 5)
        // A quiet window later it is as short as at first.
        world.run(forMs: 100_000)
        failOver(&world)
        #expect(world.state.term == 6)
        failOver(&world)
        #expect(world.state.hold?.rule == .cooldown)
    }

    @Test func aRunThatFailsIsNoFlapping() {
        var policy = samplePolicy(hooks: [HookBinding(stage: .preCheck, pack: "veto")])
        policy.cooldownS = 10
        var world = TestWorld(policy: policy)
        world.hookAnswers["veto"] = HookOutcome(status: .failed, error: "no")
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 60_000)
        #expect(world.finishedRuns.count > 2)
        #expect(world.state.automaticMovesAtMs.isEmpty)
        #expect(!world.holds.contains(.flapBackoff) && !world.holds.contains(.cooldown))
    }

    @Test func aPlannedMoveSpendsNothingThatIsNotThere() {
        var policy = samplePolicy()
        policy.sloGuard = SLOGuard(budgetS: 3, windowS: 600)
        var world = TestWorld(policy: policy)
        world.settle()
        let request = Input.request(
            OperatorRequest(
                clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                requestedBy: "bob"))
        guard case .accepted = world.step(request) else {
            Issue.record("the budget is whole: \(world.state.outages)")
            return
        }
        world.settle()
        world.services[world.state.primary]?.agentIsUp = false
        world.services[world.state.primary]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.outages.spentMs(windowMs: 600_000, nowMs: world.now.utcMs) > 0)
        var tight = policy
        tight.sloGuard = SLOGuard(budgetS: 0, windowS: 600)
        var second = TestWorld(policy: tight)
        second.settle()
        guard case .refused(let refusal) = second.step(request) else {
            Issue.record("it is not refused")
            return
        }
        #expect(refusal.rule == .sloGuard)
        // An outage is not made longer by it.
        second.services["node-1"]?.state = .stopped
        second.heartbeat("node-1")
        #expect(second.state.primary == "node-2")
    }

    @Test func outagesAreCutToTheWindow() {
        var log = OutageLog()
        #expect(log == OutageLog())
        log = OutageLog(outages: [.init(fromMs: 0, untilMs: 50), .init(fromMs: 90, untilMs: 120)])
        #expect(log.spentMs(windowMs: 100, nowMs: 130) == 20 + 30)
        #expect(log.spentMs(windowMs: 10, nowMs: 1000) == 0)
    }
}
