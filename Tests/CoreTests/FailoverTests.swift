import ContinuityCore
import Testing

@Suite struct FailoverTests {
    private func crashed(_ policy: FailoverPolicy = samplePolicy()) -> TestWorld {
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-1"]?.state = .stopped
        return world
    }

    @Test func aCrashRunsThroughEveryStageAndCommits() {
        var world = crashed()
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.fenceProofs.map(\.proof) == [.receipt])
        #expect(world.state.primary == "node-2")
        #expect(world.state.term == 2)
        #expect(
            world.commands.prefix(8).map(\.name) == [
                .fence, .status, .status, .promote, .follow, .status, .status, .status,
            ])
        #expect(world.state.lastRun?.confidence == 95, "the old primary does not follow yet")
    }

    @Test func theOldPrimaryRejoinsAfterwardsAndNeverWins() {
        var world = crashed()
        world.heartbeat("node-1")
        world.settle()
        #expect(world.commands.contains { $0.name == .rejoin && $0.nodeID == "node-1" })
        #expect(world.state.health == .healthy)
        // It comes back as primary by some other hand: it is stopped, and rejoins.
        world.services["node-1"]?.role = .primary
        world.settle()
        #expect(world.commands.contains { $0.name == .fence && $0.nodeID == "node-1" })
        world.run(forMs: 10_000)
        #expect(world.services["node-1"]?.role == .secondary)
        #expect(world.state.primary == "node-2")
    }

    /// Found by killing `serve` on real processes: the promote order waited behind a rejoin, which
    /// waited for the primary that had just died.
    @Test func aNodeThatIsStillRejoiningIsNoTarget() {
        var policy = samplePolicy()
        policy.cooldownS = 0
        var world = crashed(policy)
        world.heartbeat("node-1")
        world.settle()
        #expect(world.state.primary == "node-2")
        world.holdsEffects = true
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5_000)
        #expect(world.state.upkeep.values.contains { $0.command == .rejoin })
        // The service streams already; the order that brings it back has not ended.
        world.services["node-1"] = .init(role: .secondary)
        world.settle()
        world.services["node-2"]?.state = .stopped
        world.heartbeat("node-2")
        #expect(world.state.run?.plan.failoverTargetID == "node-3")
    }

    @Test func aLostNodeIsReplacedOnlyWhenItsLeaseHasRunOut() {
        var world = TestWorld()
        world.settle()
        let lastHeard = world.nowMs
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.fenceProofs.map(\.proof) == [.leaseExpired])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        let fencedAt = world.journal.first { $0.kind == "fence_proven" }?.atMs ?? 0
        let lease = world.policy.lease
        #expect(
            fencedAt - 1_700_000_000_000 >= lastHeard + lease.durationMs + lease.marginMs)
    }

    /// Found by the demo: the second loss took half a minute, since the first promotion's
    /// timeout still counted as part of the new primary's lease.
    @Test func aPromotedNodesLeaseEndsNoLaterThanAnyOther() {
        var world = TestWorld()
        world.settle()
        for lost: NodeID in ["node-1", "node-2"] {
            world.services[lost]?.agentIsUp = false
            world.services[lost]?.state = .stopped
            let lostAt = world.nowMs
            world.run(forMs: 6_000)
            #expect(world.state.primary != lost)
            let fencedAt = world.journal.last { $0.kind == "fence_proven" }?.atMs ?? 0
            #expect(fencedAt - 1_700_000_000_000 - lostAt < 5_000)
            world.services[lost]?.agentIsUp = true
            world.run(forMs: 5_000)
            #expect(world.state.health == .healthy)
        }
    }

    @Test func aNewLeaderWaitsOutTheLeaseOfAnEarlierOne() throws {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        try world.restart(keeping: world.journal.count)
        let startedAt = world.nowMs
        world.run(forMs: 12_000)
        let fencedAt = world.journal.first { $0.kind == "fence_proven" }?.atMs ?? 0
        let lease = world.policy.lease
        #expect(
            fencedAt - 1_700_000_000_000 >= startedAt + lease.durationMs + lease.marginMs)
        #expect(world.state.primary == "node-2")
    }

    @Test func anAgentThatCannotStopItsServiceStopsTheRun() {
        var world = crashed()
        world.commandFailures[.fence] = .failed
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.state.primary == "node-1")
        #expect(world.fenceProofs.isEmpty)
        // It is tried again, later and later, never in a hurry.
        world.run(forMs: 60_000)
        #expect((3...6).contains(world.finishedRuns.count))
        #expect(world.holds.contains(.retryBackoff))
    }

    @Test func aTargetThatIsBehindAnotherSecondaryCatchesUpFirst() throws {
        var world = crashed()
        world.services["node-3"]?.position = 5000
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        let names = world.commands.map { "\($0.name.rawValue) \($0.nodeID)" }
        let catchUp = try #require(names.firstIndex(of: "follow node-2"))
        let promote = try #require(names.firstIndex(of: "promote node-2"))
        #expect(catchUp < promote)
        #expect(world.services["node-2"]?.position == 5000)
    }

    @Test func nobodyIsPromotedWithoutAPosition() {
        var world = crashed()
        world.commandFailures[.status] = .timedOut
        world.heartbeat("node-1")
        // `as told` answers still carry a reading; a silent agent does not.
        #expect(world.finishedRuns.count == 1)
        var silent = crashed()
        silent.holdsEffects = true
        silent.heartbeat("node-1")
        #expect(silent.finishedRuns.isEmpty)
        #expect(!silent.kinds.contains("primary_changed"))
    }

    // MARK: Policy

    @Test(arguments: [
        (FailoverPolicy.Strategy.manual, HoldRule.strategyManual),
        (.scheduled, .strategyScheduled),
    ])
    func someStrategiesNeverMoveByThemselves(_ strategy: FailoverPolicy.Strategy, _ rule: HoldRule)
    {
        var policy = samplePolicy()
        policy.strategy = strategy
        var world = crashed(policy)
        world.run(forMs: 30_000)
        #expect(world.finishedRuns.isEmpty)
        #expect(world.holds == [rule])
        // A person may.
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil, reason: "dead",
                    requestedBy: "sre")))
        guard case .accepted? = reply else {
            Issue.record("refused: \(String(describing: reply))")
            return
        }
        #expect(world.state.primary == "node-2")
    }

    @Test func aFreezeWindowAndACooldownHoldWithTheEarliestTime() {
        var policy = samplePolicy()
        let utc = 1_700_000_000_000 + Int64(1_000_000)
        policy.freezeWindows = [
            FreezeWindow(fromMs: utc, untilMs: utc + 60_000, reason: "year-end close")
        ]
        policy.cooldownS = 300
        var world = crashed(policy)
        world.run(forMs: 10_000)
        #expect(world.state.hold?.rule == .freezeWindow)
        #expect(world.state.hold?.earliestAtMs == utc + 60_000)
        world.run(forMs: 60_000)
        #expect(world.state.primary == "node-2")

        world.settle()
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 5_000)
        #expect(world.state.hold?.rule == .cooldown)
        world.run(forMs: 300_000)
        #expect(world.state.primary == "node-1")
    }

    @Test func theDeadlineFailsTheRun() {
        var policy = samplePolicy()
        policy.maxFailoverTimeS = 5
        var world = crashed(policy)
        world.holdsEffects = true
        world.heartbeat("node-1")
        world.run(forMs: 4_500)
        #expect(world.finishedRuns.isEmpty)
        world.run(forMs: 1_000)
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.finishedRuns.first?.reason.contains("max_failover_time_s") == true)
        #expect(world.state.primary == "node-1")
    }

    @Test func aRunThatBreaksItsRTOSaysSoAndNamesTheBottleneck() throws {
        var world = crashed()
        world.holdsEffects = true
        world.heartbeat("node-1")
        world.run(forMs: 3_500)
        world.releaseHeldEffects()
        let finished = try #require(world.finishedRuns.first)
        #expect(finished.state == .committed)
        #expect(finished.rtoMs == 3_000)
        #expect(finished.exceedsRTO)
        #expect(finished.bottleneck == .demote)
        let alert = world.bodies { body -> Alert? in
            guard case .alertQueued(let body) = body,
                body.alert.type == "continuity.run.committed"
            else { return nil }
            return body.alert
        }
        #expect(alert.first?.severity == .warning)
        #expect(alert.first?.summary.contains("more than rto_s allows") == true)
    }

    @Test func restartFirstThenFailOver() {
        var policy = samplePolicy()
        policy.onServiceFailure = .restart
        policy.restartAttempts = 2
        var world = crashed(policy)
        world.heartbeat("node-1")
        #expect(world.state.primary == "node-1")
        #expect(world.commands.contains { $0.name == .restart })
        #expect(world.finishedRuns.map(\.state) == [.committed])
        for _ in 0..<2 {
            world.settle()
            world.services["node-1"]?.state = .stopped
            world.heartbeat("node-1")
        }
        #expect(world.state.primary == "node-2", "it never stays up, so it is moved")
    }

    // MARK: Requests

    @Test func aSwitchoverHandsOverInOrder() {
        var world = TestWorld()
        world.settle()
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: "node-3", reason: "",
                    requestedBy: "sre")))
        #expect(world.state.primary == "node-3")
        #expect(world.commands.prefix(2).map(\.name) == [.prepare, .demote])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.journal.first { $0.kind == "run_requested" }?.actor == "sre")
    }

    @Test func aSwitchoverThatCannotPromoteIsRolledBack() {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.promote] = .failed
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(world.state.primary == "node-1")
        #expect(world.services["node-1"]?.state == .running)
        world.settle()
        #expect(world.state.health == .healthy)
    }

    @Test func aPromotionInDoubtIsNeverUndone() {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.promote] = .inDoubt
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(!world.commands.contains { $0.name == .restart })
    }

    @Test func oneRunAtATime() {
        var world = TestWorld()
        world.settle()
        world.holdsEffects = true
        let request = OperatorRequest(
            clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "", requestedBy: "a")
        world.step(.request(request))
        guard case .refused(let refusal)? = world.step(.request(request)) else {
            Issue.record("a second run was accepted")
            return
        }
        #expect(refusal.rule == .runActive)
    }

    @Test func leasesAreNotRenewedOnceARunTakesTheRole() {
        var world = TestWorld()
        world.settle()
        func lease(_ node: NodeID) -> Int64? {
            guard case .report(let reply)? = world.heartbeat(node) else { return nil }
            return reply.leaseMs
        }
        #expect(lease("node-1") == 3000)
        #expect(lease("node-2") == nil)
        world.services["node-1"]?.state = .failing
        world.holdsEffects = true
        world.run(forMs: 6_000)
        #expect(world.state.run != nil)
        #expect(lease("node-1") == nil)
    }
}
