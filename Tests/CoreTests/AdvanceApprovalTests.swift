import ContinuityCore
import Testing

/// Arranged moves that others agree to beforehand, by what matters.
@Suite struct AdvanceApprovalTests {
    private static let bob = Principal(actor: "token:bob", person: "bob", groups: ["sre"])
    private static let carl = Principal(actor: "token:carl", person: "carl", groups: ["sre"])

    private func world(_ approvals: ApprovalPolicy = ApprovalPolicy(switchover: 1)) -> TestWorld {
        var policy = samplePolicy()
        policy.approvals = approvals
        var world = TestWorld(policy: policy)
        world.settle()
        return world
    }

    @discardableResult
    private func arrange(
        _ world: inout TestWorld, _ kind: PlanKind = .switchover, target: NodeID? = nil,
        windowS: Int64 = 60, knownBy: [String]? = nil
    ) -> PendingApproval? {
        let reply = world.step(
            .order(
                .schedule(
                    ScheduleWish(
                        clusterID: "demo", kind: kind, targetNodeID: target,
                        atMs: world.now.utcMs + 20_000, windowS: windowS, reason: "kernel",
                        knownBy: knownBy)), by: "ada"))
        guard case .arranged(_, let approval)? = reply else { return nil }
        return approval
    }

    @discardableResult
    private func approve(
        _ world: inout TestWorld, _ approval: PendingApproval, by principal: Principal = bob
    ) -> Reply? {
        world.step(
            .approval(.approve("demo", approval.approvalID, reason: "seen"), by: principal))
    }

    private func problem(_ reply: Reply?) -> String? {
        guard case .problem(let problem)? = reply else { return nil }
        return problem.type
    }

    private func outcomes(_ world: TestWorld) -> [ApprovalOutcome] {
        world.bodies { if case .approvalEnded(let body) = $0 { body.outcome } else { nil } }
    }

    private func ends(_ world: TestWorld) -> [ScheduleEnded] {
        world.bodies { if case .scheduleEnded(let body) = $0 { body } else { nil } }
    }

    private func runs(_ world: TestWorld) -> [RunRequested] {
        world.bodies { if case .runRequested(let body) = $0 { body } else { nil } }
    }

    private func replayed(_ world: TestWorld) throws -> OrchestratorState {
        var state = OrchestratorState()
        for entry in world.journal { try state.replay(entry) }
        return state
    }

    /// The incident: a node that comes back meanwhile changes the plan, not what was agreed to.
    @Test func anotherBestTargetIsWithinWhatWasApproved() throws {
        var world = world()
        world.services["node-2"]?.state = .stopped
        world.commandFailures[.rejoin] = .failed
        world.run(forMs: 3000)
        let asked = try #require(arrange(&world))
        #expect(asked.kind == .arranged && asked.plan.failoverTargetID == "node-3")
        #expect(world.alerts("continuity.approval.requested").count == 1)
        guard case .noted? = approve(&world, asked) else {
            Issue.record("the approval in advance was not taken")
            return
        }
        #expect(world.state.run == nil, "it is not due")
        #expect(world.state.scheduledApproval?.isComplete == true)
        world.commandFailures[.rejoin] = nil
        world.services["node-2"]?.state = .running
        world.run(forMs: 40_000)
        #expect(runs(world).map(\.plan.failoverTargetID) == ["node-2"])
        #expect(runs(world).first?.approvalID == asked.approvalID)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(outcomes(world) == [.approved])
        let end = try #require(ends(world).first)
        #expect(end.end == .started && end.runID == runs(world).first?.runID)
        #expect(end.reason.contains("node-1 to node-2; approved in advance with"))
        #expect(end.reason.contains("node-1 to node-3"))
        let summary = try #require(world.state.lastScheduled)
        #expect(summary.end == .started && summary.move.reason == "kernel")
        #expect(try replayed(world) == world.orchestrator.state)
    }

    @Test func aTargetThatWasNamedIsTheOneThatIsTaken() throws {
        var world = world()
        let asked = try #require(arrange(&world, target: "node-3"))
        approve(&world, asked)
        world.services["node-3"]?.state = .stopped
        world.commandFailures[.rejoin] = .failed
        world.run(forMs: 90_000)
        // Nobody else was approved: it was held in its window, and then told as refused.
        #expect(runs(world).isEmpty)
        #expect(ends(world).map(\.end) == [.refused])
        #expect(ends(world).first?.rule == .noEligibleTarget)
        #expect(outcomes(world) == [.expired])
        #expect(world.alerts("continuity.schedule.refused").count == 1)
        #expect(world.state.lastScheduled?.rule == .noEligibleTarget)
        #expect(try replayed(world) == world.orchestrator.state)
    }

    /// It was approved to move the primary away from node-1.
    @Test func anotherPrimaryVoidsIt() throws {
        var world = world()
        let asked = try #require(arrange(&world))
        approve(&world, asked)
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        world.run(forMs: 40_000)
        #expect(world.state.primary != "node-1")
        #expect(runs(world).filter { $0.trigger == "scheduled" }.isEmpty)
        #expect(ends(world).map(\.rule) == [.planChanged])
        #expect(outcomes(world) == [.void])
        #expect(world.alerts("continuity.approval.ended").count == 1)
        #expect(world.alerts("continuity.schedule.refused").count == 1)
    }

    @Test func withoutApprovalItIsHeldInItsWindowAndThenOver() throws {
        var late = world()
        let asked = try #require(arrange(&late))
        late.run(forMs: 30_000)
        #expect(late.state.scheduledHold?.rule == .approvalPending)
        #expect(late.state.scheduledHold?.evidence.contains(asked.approvalID.rawValue) == true)
        // Within the window it begins when the approval comes.
        approve(&late, asked)
        late.run(forMs: 5000)
        #expect(runs(late).count == 1 && ends(late).map(\.end) == [.started])

        var never = world()
        arrange(&never)
        never.run(forMs: 90_000)
        #expect(ends(never).map(\.rule) == [.approvalPending])
        #expect(outcomes(never) == [.expired] && runs(never).isEmpty)
    }

    @Test func whoCouldBeBehindItDoesNotApproveAndARefusalEndsTheMove() throws {
        var world = world()
        let asked = try #require(arrange(&world, knownBy: ["bob"]))
        #expect(problem(approve(&world, asked)) == "same-person")
        #expect(problem(approve(&world, asked, by: "ada")) == "same-person")
        world.step(
            .approval(.refuse("demo", asked.approvalID, reason: "batch runs"), by: Self.carl))
        #expect(outcomes(world) == [.refused])
        #expect(world.state.scheduled == nil && world.state.scheduledApproval == nil)
        #expect(ends(world).first?.reason == "carl refused it: batch runs")
        world.run(forMs: 60_000)
        #expect(runs(world).isEmpty)
        #expect(problem(approve(&world, asked)) == "no-such-approval")
        #expect(try replayed(world) == world.orchestrator.state)
    }

    /// An approval that waits for weeks keeps nobody from asking for what is needed today.
    @Test func itStandsBesideWhatIsAskedForNow() throws {
        var world = world(ApprovalPolicy(failover: 1, switchover: 1))
        let inAdvance = try #require(arrange(&world))
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil, reason: "smoke",
                    requestedBy: "ada")))
        guard case .awaitingApproval(let now)? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        approve(&world, inAdvance)
        #expect(world.state.run == nil && world.state.approval?.consents.isEmpty == true)
        world.step(.approval(.refuse("demo", now.approvalID, reason: "no"), by: Self.carl))
        #expect(world.state.approval == nil)
        #expect(world.state.scheduledApproval?.isComplete == true)
        world.run(forMs: 30_000)
        #expect(runs(world).map(\.trigger) == ["scheduled"])
    }

    /// What the policy asks for when it is due counts.
    @Test func aStricterPolicyAsksAnew() throws {
        var world = world()
        let asked = try #require(arrange(&world))
        approve(&world, asked)
        var policy = world.policy
        policy.approvals = ApprovalPolicy(switchover: 2, groups: ["sre"])
        world.policy = policy
        try world.restart(keeping: world.journal.count)
        world.settle()
        let again = try #require(world.state.scheduledApproval)
        #expect(again.approvalID != asked.approvalID && again.needed == 2)
        #expect(outcomes(world) == [.void])
        approve(&world, again)
        world.run(forMs: 25_000)
        #expect(world.state.scheduledHold?.rule == .approvalPending && runs(world).isEmpty)
        approve(&world, again, by: Self.carl)
        world.run(forMs: 3000)
        #expect(runs(world).count == 1)
    }

    @Test func cancellingVoidsIt() throws {
        var world = world()
        let asked = try #require(arrange(&world))
        approve(&world, asked)
        world.step(.order(.cancelSchedule("demo", reason: "not now"), by: "ada"))
        #expect(outcomes(world) == [.void])
        #expect(world.state.lastScheduled?.end == .cancelled)
        #expect(problem(approve(&world, asked, by: Self.carl)) == "no-such-approval")
    }

    /// Killed after any of its entries, it begins once, with its approval, or asks again.
    @Test func aRestartAnywhereNeitherForgetsNorRepeatsIt() throws {
        var whole = world()
        let before = whole.journal.count
        let asked = try #require(arrange(&whole))
        approve(&whole, asked)
        whole.run(forMs: 25_000)
        #expect(runs(whole).count == 1)
        for count in (before + 1)...whole.journal.count {
            var world = whole
            try world.restart(keeping: count)
            world.run(forMs: 40_000)
            if let again = world.state.scheduledApproval, !again.isComplete {
                approve(&world, again)
            }
            world.run(forMs: 60_000)
            #expect(runs(world).filter { $0.trigger == "scheduled" }.count <= 1, "cut at \(count)")
            for run in runs(world) where run.trigger == "scheduled" {
                #expect(run.approvalID != nil, "cut at \(count)")
            }
            #expect(world.state.scheduled == nil, "cut at \(count)")
            #expect(try replayed(world) == world.orchestrator.state)
        }
    }
}
