import ContinuityCore
import Testing

/// A switchover whose old primary does not stop never leaves the service without a primary.
@Suite struct HandoverTests {
    private func world(
        _ settings: HandoverSettings? = nil, strategy: FailoverPolicy.Strategy = .manual,
        hooks: [HookBinding] = []
    ) -> TestWorld {
        var policy = samplePolicy(hooks: hooks)
        policy.strategy = strategy
        policy.switchover = settings
        var world = TestWorld(policy: policy)
        world.settle()
        return world
    }

    private func switchOver(_ world: inout TestWorld) {
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
    }

    private func orders(_ world: TestWorld) -> [String] {
        world.commands.map { "\($0.name.rawValue) \($0.nodeID)" }
    }

    @Test(arguments: [FailoverPolicy.Strategy.manual, .automatic])
    func oneThatDoesNotStopServesAgain(_ strategy: FailoverPolicy.Strategy) {
        var world = world(strategy: strategy)
        world.hangingStops = ["node-1"]
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(
            world.finishedRuns.first?.reason
                == "node-1 did not hand over: the service still runs")
        #expect(
            orders(world) == [
                "prepare node-1", "demote node-1", "status node-1", "fence node-1",
                "restart node-1", "status node-1",
            ])
        #expect(world.services["node-1"]?.state == .running && world.state.primary == "node-1")
        guard case .report(let reply) = world.heartbeat("node-1") else {
            Issue.record("no answer")
            return
        }
        #expect(reply.leaseMs == world.policy.lease.durationMs)
        world.run(forMs: 20_000)
        #expect(world.state.health == .healthy && world.finishedRuns.count == 1)
        #expect(world.state.term == 1)
    }

    @Test func theOperatorMayChooseToGoOnByForce() {
        var world = world(HandoverSettings(onDemoteTimeout: .fence))
        world.hangingStops = ["node-1"]
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.primary == "node-2")
        #expect(world.fenceProofs.map(\.proof) == [.receipt])
        #expect(
            world.fenceProofs.first?.detail
                == "node-1 did not stop by itself and is stopped (command)")
        #expect(!orders(world).contains("restart node-1"))
    }

    @Test(arguments: HandoverSettings.DemoteTimeoutResponse.allCases)
    func oneThatNeitherStopsNorServesIsToldAtOnce(
        _ response: HandoverSettings.DemoteTimeoutResponse
    ) {
        var world = world(HandoverSettings(onDemoteTimeout: response))
        world.hangingStops = ["node-1"]
        world.commandFailures[.fence] = .failed
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.finishedRuns.first?.reason.contains("the rollback failed: as told") == true)
        #expect(world.alerts("continuity.run.failed").map(\.severity) == [.critical])
        #expect(!orders(world).contains("promote node-2"))
        world.run(forMs: 10_000)
        #expect(world.holds.last == .strategyManual, "and it stays told")
    }

    @Test func oneThatNeverBeganToStopKeepsItsSessions() {
        var world = world()
        world.commandFailures[.demote] = .failed
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(orders(world) == ["prepare node-1", "demote node-1", "status node-1"])
    }

    @Test func itsTimeIsThePolicysAndTheRunsDeadlineUndoesItToo() throws {
        var world = world(HandoverSettings(demoteTimeoutMs: 45_000))
        world.hangingStops = ["node-1"]
        world.unanswered = [.demote]
        switchOver(&world)
        let demote = try #require(
            world.state.run?.operations.values.first { $0.command == .demote })
        #expect(demote.timeoutMs == 45_000)
        world.run(forMs: 61_000)
        #expect(world.state.run?.phase == .rollingBack, "it waits for the order to be over")
        world.unanswered = []
        world.releaseHeldEffects()
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(world.services["node-1"]?.state == .running)
    }

    @Test func whatWouldKeepItFromStoppingIsToldBeforeAnythingIsTouched() {
        var refused = world()
        refused.hindered = ["node-1"]
        switchOver(&refused)
        #expect(refused.finishedRuns.map(\.state) == [.failed])
        #expect(
            refused.finishedRuns.first?.reason
                == "node-1 would not stop in time: the archiver hangs")
        #expect(orders(refused) == ["prepare node-1"])
        #expect(refused.services["node-1"]?.state == .running)

        var told = world(HandoverSettings(onHindrance: .continue))
        told.hindered = ["node-1"]
        switchOver(&told)
        #expect(told.finishedRuns.map(\.state) == [.committed])
        #expect(
            told.state.lastRun?.troubles == ["prepare on node-1 failed: the archiver hangs"])
    }

    /// An agent without a program for it, or whose program fails, is no reason.
    @Test func aPrepareThatOnlyFailsStandsAgainstNothing() {
        var world = world()
        world.commandFailures[.prepare] = .failed
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func hooksOfTheRollbackTellThatTheOldPrimaryServesAgain() {
        let hooks = [
            HookBinding(stage: .demote, pack: "balancer"),
            HookBinding(stage: .demote, pack: "veto", order: 1),
            HookBinding(stage: .rollback, pack: "balancer"),
        ]
        var world = world(hooks: hooks)
        world.hookAnswers["veto"] = HookOutcome(status: .failed, error: "not now")
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(world.hooks.map(\.binding.stage) == [.demote, .demote, .rollback])
        #expect(orders(world) == ["prepare node-1", "status node-1"], "its sessions go on")
    }

    @Test func aRollbackHookThatFailsIsCalledAgain() {
        var world = world(hooks: [HookBinding(stage: .rollback, pack: "balancer")])
        world.hangingStops = ["node-1"]
        world.hookAnswers["balancer"] = HookOutcome(status: .failed, error: "away")
        switchOver(&world)
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        world.run(forMs: 3_000)
        #expect(world.state.health == .degraded)
        world.hookAnswers["balancer"] = nil
        world.run(forMs: 10_000)
        #expect(world.state.undoneHooks.isEmpty && world.state.health == .healthy)
        #expect(world.hooks.last?.context["primary"]?["node_id"]?.string == "node-1")
    }

    /// Its balancer was told to turn clients away, and then nobody could be promoted.
    @Test func aFailedFailoverTellsTheBalancerOnceThePrimaryIsBack() {
        let hooks = [
            HookBinding(stage: .demote, pack: "balancer"),
            HookBinding(stage: .rollback, pack: "balancer"),
        ]
        var world = world(strategy: .automatic, hooks: hooks)
        world.silentPositions = ["node-2", "node-3"]
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.hooks.map(\.binding.stage).first == .demote)
        let before = world.hooks.count
        world.run(forMs: 1_500)
        world.services["node-1"]?.state = .running
        world.run(forMs: 10_000)
        #expect(world.hooks.dropFirst(before).map(\.binding.stage).contains(.rollback))
        #expect(world.state.undoneHooks.isEmpty && world.state.health == .healthy)
    }

    @Test func theLeaseIsRenewedWhileTheWayBackIsNotOver() {
        var world = world(hooks: [
            HookBinding(stage: .promote, pack: "gate"),
            HookBinding(stage: .rollback, timing: .after, pack: "slow"),
        ])
        world.hookAnswers["gate"] = HookOutcome(status: .failed, error: "no")
        world.unansweredHooks = ["slow"]
        switchOver(&world)
        #expect(world.state.run?.phase == .rollingBack && world.state.run?.fenceProof != nil)
        guard case .report(let reply) = world.heartbeat("node-1") else {
            Issue.record("no answer")
            return
        }
        #expect(reply.leaseMs == world.policy.lease.durationMs)
    }
}
