import ContinuityCore
import Testing

/// What the seeded sweep found in the core (`FoundSeedsTests`), each as the shortest course that
/// shows it. What concerns lineage and positions alone is in `LineageTests`.
@Suite struct SweepFindingTests {
    private static func strict() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.rpoS = 0
        policy.restartAttempts = 0
        return policy
    }

    private static func restarting() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.onServiceFailure = .restart
        policy.restartAttempts = 1
        return policy
    }

    private func crashed(_ policy: FailoverPolicy, unanswered: Set<AgentCommand.Name>) -> TestWorld
    {
        var world = TestWorld(policy: policy)
        world.settle()
        world.unanswered = unanswered
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    /// Found by seed 767.
    @Test func whatAnAgentRemembersOfAServiceThatDoesNotAnswerIsNoPosition() {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        world.commandFailures[.status] = .failed
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-1")
        #expect(
            world.finishedRuns.first?.reason.contains("does not tell its position") == true)
        world.commandFailures[.status] = nil
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
    }

    /// Found by seed 3526: an earlier sending may have arrived.
    @Test func noConnectionDoesNotShowThatAnOrderNeverArrived() {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        world.commandFailures[.rejoin] = .unreachable
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-2")
        #expect(world.commands.contains { $0.name == .rejoin })
        #expect(world.state.possibleHolders.contains("node-1"))
    }

    /// Found by seed 3526: what is asked for again may be refused because the first was carried out.
    @Test func whatWasNotAnsweredWhenAProcessEndedMayHaveBeenCarriedOut() throws {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        world.unanswered = [.rejoin]
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        #expect(world.heldEffects.count == 1)
        world.unanswered = []
        world.commandFailures[.rejoin] = .refused
        try world.restart(keeping: world.journal.count)
        #expect(world.commands.contains { $0.name == .rejoin }, "it is asked for again")
        #expect(world.state.upkeep.isEmpty)
        #expect(world.state.possibleHolders.contains("node-1"))
    }

    /// Found by seed 366: its position counts along a history of its own.
    @Test func aTargetDoesNotCatchUpWithOneOfAnUnknownHistory() {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.rejoin] = .timedOut
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        #expect(world.state.primary == "node-2")
        world.services["node-1"] = .init(role: .secondary, position: 5000)
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-3")
        #expect(!world.commands.contains { $0.nodeID == "node-3" && $0.primaryNodeID == "node-1" })
    }

    /// Found by seed 6.
    @Test func aNodeThatStreamsIsAskedUntilItIsKnownAsAReplica() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        #expect(world.state.primary == "node-2")
        // It was not read at the promotion, and the order to follow is not answered at first.
        world.commandFailures[.follow] = .timedOut
        world.services["node-3"]?.agentIsUp = true
        world.run(forMs: 2000)
        #expect(!world.state.replicas.contains("node-3"))
        world.commandFailures[.follow] = nil
        world.run(forMs: 10_000)
        #expect(world.state.replicas.contains("node-3"))
        #expect(world.state.status(of: "node-3") == .healthy)
    }

    /// Found by seed 6: asking it shows nothing while it may be pointed elsewhere.
    @Test func aNodeThatMayHaveBeenPointedElsewhereIsPointedToThePrimaryAgain() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        #expect(world.state.primary == "node-2")
        world.commandFailures[.status] = .timedOut
        world.services["node-3"]?.agentIsUp = true
        world.run(forMs: 2000)
        #expect(world.state.following["node-3"] == "node-2")
        #expect(!world.state.replicas.contains("node-3"))
        // A failover to node-1 does not succeed; whether node-3 turned to node-1 is not known.
        world.commandFailures[.promote] = .refused
        world.commandFailures[.follow] = .timedOut
        world.services["node-2"]?.state = .stopped
        world.heartbeat("node-2")
        #expect(world.finishedRuns.map(\.state) == [.committed, .failed])
        #expect(world.commands.contains { $0.nodeID == "node-3" && $0.primaryNodeID == "node-1" })
        world.services["node-2"]?.state = .running
        world.commandFailures = [:]
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        #expect(world.state.replicas.contains("node-3"))
        #expect(world.state.health == .healthy)
    }

    /// Found by seed 3926.
    @Test func aPrimaryThatRunsAgainIsNotMovedBecauseItIsFailedStill() {
        var policy = Self.restarting()
        policy.detection = DetectionSettings(
            intervalMs: 1000, failureThreshold: 3, recoveryThreshold: 3)
        var world = crashed(policy, unanswered: [])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        world.run(forMs: 1000)
        #expect(world.state.status(of: "node-1") == .failed, "one good report is not enough")
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.status(of: "node-1") == .healthy)
        #expect(world.finishedRuns.count == 1)
    }

    /// Found by seed 1411.
    @Test func aRestartThatAPolicyRefusedIsNotOneThatWasTried() {
        var policy = Self.restarting()
        policy.hooks = [HookBinding(stage: .admit, pack: "guard")]
        var world = TestWorld(policy: policy)
        world.hookAnswers["guard"] = HookOutcome(
            status: .ok, value: ["verdict": "deny", "reason": "not now"])
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.refused])
        #expect(world.state.restartsAtMs.isEmpty)
        world.hookAnswers["guard"] = HookOutcome(status: .ok, value: ["verdict": "allow"])
        world.run(forMs: 5000)
        #expect(world.finishedRuns.map(\.state) == [.refused, .committed])
        #expect(world.state.primary == "node-1")
        #expect(world.state.restartsAtMs.count == 1)
    }

    /// Found by seed 1454.
    @Test func aRestartUnderWayCountsAsALeaseUntilItsOrderIsOver() {
        let world = crashed(Self.restarting(), unanswered: [.restart])
        #expect(world.state.run?.kind == .restart)
        // The order may be begun within its time limit of a minute, and brings a lease of 3 s.
        #expect(world.orchestrator.leaseEndMs("node-1", "demo") >= world.nowMs + 63_000)
    }

    /// Found by seed 377: it would be fenced at the moment at which it runs.
    @Test func aNodeThatIsBeingStartedKeepsItsLease() {
        var world = crashed(Self.restarting(), unanswered: [.restart])
        for _ in 0..<10 {
            world.nowMs += 1000
            guard case .report(let reply)? = world.heartbeat("node-1") else {
                Issue.record("the report was not answered")
                return
            }
            #expect(reply.leaseMs == 3000)
        }
    }

    /// An earlier process sent it too, and that sending may still arrive.
    @Test func aStartThatAnEarlierProcessOrderedIsNotSettledByNoConnection() throws {
        var world = crashed(Self.restarting(), unanswered: [.restart])
        world.unanswered = []
        world.services["node-1"]?.agentIsUp = false
        let before = world.commands.count
        try world.restart(keeping: world.journal.count)
        // Its end on the node's clock is not known yet.
        #expect(!world.commands.dropFirst(before).contains { $0.name == .restart })
        #expect(world.orchestrator.leaseEndMs("node-1", "demo") >= world.nowMs + 63_000)
        world.run(forMs: 4000)
        #expect(!world.commands.dropFirst(before).contains { $0.name == .restart })
        #expect(world.orchestrator.leaseEndMs("node-1", "demo") >= world.nowMs + 59_000)
    }

    /// Issue 13, 12: without its end it could be begun long after its sender had given up.
    @Test func anOrderThatIsTakenUpAgainNamesItsEnd() throws {
        var world = crashed(Self.restarting(), unanswered: [.restart])
        world.unanswered = []
        let before = world.commands.count
        try world.restart(keeping: world.journal.count)
        #expect(world.commands.count == before)
        world.clockMs["node-1"] = 77_000
        world.heartbeat("node-1")
        let order = try #require(world.commands.dropFirst(before).first { $0.name == .restart })
        #expect(order.notAfterMs == Int64(137_000))
    }

    /// A primary that nobody has seen stopped may wake and acknowledge a write with a node that
    /// listens to it, whether or not that node's history is known.
    @Test func whoeverMayListenToALostPrimaryTurnsAwayBeforePositionsAreRead() {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        world.commandFailures[.rejoin] = .timedOut
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        #expect(world.state.primary == "node-2")
        world.services["node-1"] = .init(role: .secondary)
        world.commandFailures[.follow] = .failed
        world.services["node-2"]?.agentIsUp = false
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
        let reason = "node-1 does not turn away from node-2, and rpo_s is 0"
        #expect(world.finishedRuns.contains { $0.reason == reason })
    }

    /// Found by seed 4198: the other may be carried out yet.
    @Test func oneStartThatIsAnsweredDoesNotSettleAnotherThatIsNot() throws {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.promote] = .inDoubt
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.state.inDoubt == "node-2")
        // It was stopped meanwhile: it is started again, which takes its time.
        world.commandFailures[.promote] = nil
        world.unanswered = [.restart, .promote]
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 5000)
        let restart = try #require(world.state.upkeep.values.first { $0.command == .restart })
        #expect(restart.nodeID == "node-2")
        world.services["node-2"]?.state = .running
        world.run(forMs: 5000)
        #expect(world.state.run?.pendingOperations.contains { $0.command == .promote } == true)
        world.step(
            .operationFinished(
                restart.key, "demo",
                OperationResult(
                    CommandResult(
                        key: restart.key, outcome: .succeeded, detail: "",
                        service: world.report("node-2")))))
        #expect(world.state.upkeep[restart.key] == nil)
        // The promotion's time limit of 30 s began at most five seconds ago.
        #expect(world.orchestrator.leaseEndMs("node-2", "demo") >= world.nowMs + 25_000)
    }
}
