import ContinuityCore
import Testing

/// Who may hold what was acknowledged, and what proves that nobody acknowledges any more. Each was
/// found by the seeded simulation first (`FoundSeedsTests`).
@Suite struct LineageTests {
    private static func strict() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.rpoS = 0
        policy.restartAttempts = 0
        return policy
    }

    /// node-1 has failed and node-2 is the primary; what became of node-1's rejoin is not known.
    private func afterUnansweredRejoin(_ policy: FailoverPolicy = strict()) -> TestWorld {
        var world = TestWorld(policy: policy)
        world.settle()
        world.commandFailures[.rejoin] = .timedOut
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        return world
    }

    @Test func oneThatMayHaveRejoinedMustBeAskedBeforeAnotherTakesOver() {
        var world = afterUnansweredRejoin()
        #expect(world.state.primary == "node-2")
        #expect(world.state.possibleHolders.contains("node-1"))
        #expect(!world.state.replicas.contains("node-1"))
        // It may have streamed from node-2 and acknowledged; now nobody hears it.
        world.services["node-1"]?.agentIsUp = false
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2", "node-3 may lack what node-1 holds")
        #expect(world.state.hold?.rule == .mayLoseWrites)
        // Heard again, it runs and has no more than node-3: nothing stands against it any more.
        world.services["node-1"] = .init(role: .secondary)
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-3")
    }

    @Test func oneThatIsAheadWithAnUnknownHistoryBarsThePromotion() {
        var world = afterUnansweredRejoin()
        world.services["node-1"] = .init(role: .secondary, position: 5000)
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
        #expect(!world.finishedRuns.filter { $0.reason.contains("is ahead of node-3") }.isEmpty)
    }

    @Test func wherePromotionIsBarredThePrimaryIsStartedAgainNotTheRunRepeated() {
        var policy = Self.strict()
        policy.restartAttempts = 1
        var world = afterUnansweredRejoin(policy)
        world.services["node-1"] = .init(role: .secondary, position: 5000)
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 60_000)
        #expect(world.finishedRuns.map(\.state) == [.committed, .failed, .committed])
        #expect(world.commands.contains { $0.name == .restart && $0.nodeID == "node-2" })
        #expect(world.state.primary == "node-2")
        #expect(world.state.status(of: "node-2") == .healthy)
    }

    @Test func wherePromotionIsBarredAndNoRestartIsLeftItHoldsAndNamesTheRule() {
        var world = afterUnansweredRejoin()
        world.services["node-1"] = .init(role: .secondary, position: 5000)
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 60_000)
        #expect(world.finishedRuns.map(\.state) == [.committed, .failed], "no run is repeated")
        #expect(world.state.hold?.rule == .mayLoseWrites)
        #expect(world.state.hold?.evidence.contains("node-1 is ahead of node-3") == true)
        // It has no more than node-3 after all: nothing stands against node-3 any more.
        world.services["node-1"]?.position = 1000
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-3")
    }

    @Test func aSecondaryThatWasNotReadAtThePromotionIsAReplicaOnlyOnceItStreams() {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        #expect(world.state.replicas == ["node-2", "node-3"])
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        // node-3 was read and was not ahead, node-1 was made anew from the primary.
        #expect(world.state.replicas == ["node-1", "node-3"])
    }

    @Test func oneThatLacksWhatTheLastPrimaryBeganWithIsNotPromoted() {
        var world = TestWorld(policy: Self.strict())
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        #expect(world.state.replicas == ["node-3"])
        // It was pointed to node-2, which died before it sent anything: what node-1 and node-2
        // had acknowledged before is not on node-3.
        world.services["node-3"]?.position = 900
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
        #expect(world.state.hold?.rule == .mayLoseWrites)
        #expect(world.state.hold?.evidence.contains("100 bytes less") == true)
        // What it reported was old: it has everything.
        world.services["node-3"]?.position = 1000
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-3")
    }

    @Test func theEndOfALeaseProvesNothingWhileTheTargetMayKeepThePrimaryByItsPromise() {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.status] = .timedOut
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(!world.kinds.contains("fence_proven"))
        world.commandFailures[.status] = nil
        world.run(forMs: 60_000)
        #expect(world.kinds.contains("fence_proven"))
        let denials = world.commands.filter { $0.deniesPromisesTo == "node-1" }
        #expect(!denials.isEmpty)
        #expect(denials.allSatisfy { $0.name == .status && ($0.deniesPromisesMs ?? 0) > 60_000 })
    }

    /// One that is not told so goes on denying the primary that has its role again.
    @Test func answersSayWhetherARunMayCountOnADenial() {
        var world = TestWorld()
        world.settle()
        func endsDenials() -> Bool? {
            guard case .report(let reply)? = world.heartbeat("node-2") else { return nil }
            return reply.endsDenials
        }
        #expect(endsDenials() == true)
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.holdsEffects = true
        world.run(forMs: 5000)
        #expect(world.state.run?.operations.values.contains { $0.sourceNodeID == "node-1" } == true)
        #expect(endsDenials() == false)
        world.releaseHeldEffects()
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        #expect(endsDenials() == true)
    }

    @Test func whatFailedBeforeAStallOfThisProcessIsCountedAnewAfterIt() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .failing
        world.run(forMs: 1000)
        world.nowMs += 30_000
        // The first report that is read after the stall was sent before it.
        world.heartbeat("node-1")
        #expect(world.state.run == nil)
        #expect(world.state.status(of: "node-1") == .degraded)
        world.services["node-1"]?.state = .running
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-1")
        #expect(!world.kinds.contains("run_requested"))
    }
}
