import ContinuityCore
import Testing

@Suite struct ScheduleTests {
    private func settled() -> TestWorld {
        var policy = samplePolicy()
        policy.cooldownS = 0
        var world = TestWorld(policy: policy)
        world.settle()
        return world
    }

    private func wish(
        _ world: TestWorld, inMs: Int64 = 10_000, windowS: Int64 = 0, kind: PlanKind = .switchover,
        target: NodeID? = nil, cluster: ClusterID = "demo", reason: String = "kernel"
    ) -> Input {
        .order(
            .schedule(
                ScheduleWish(
                    clusterID: cluster, kind: kind, targetNodeID: target,
                    atMs: world.now.utcMs + inMs, windowS: windowS, reason: reason)), by: "ada")
    }

    private func ends(_ world: TestWorld) -> [ScheduleEnded] {
        world.bodies { if case .scheduleEnded(let body) = $0 { body } else { nil } }
    }

    @Test func itBeginsWhenItIsDueThroughARestart() throws {
        var world = settled()
        world.step(wish(world, target: "node-3"))
        try world.restart(keeping: world.journal.count)
        #expect(world.state.scheduled?.requestedBy == "ada")
        world.run(forMs: 9_000)
        #expect(world.state.run == nil && world.finishedRuns.isEmpty)
        world.run(forMs: 5_000)
        #expect(world.state.primary == "node-3")
        #expect(ends(world).map(\.end) == [.started])
        let requested = world.bodies { if case .runRequested(let body) = $0 { body } else { nil } }
        #expect(requested.map(\.trigger) == ["scheduled"])
        #expect(ends(world).first?.runID == requested.first?.runID)
        // It was wanted: neither the fleet's brake nor the backoff counts it.
        #expect(world.orchestrator.state.fleet.moves(atMs: world.now.utcMs).isEmpty)
        #expect(world.state.automaticMovesAtMs.isEmpty)
    }

    /// A plan that a person sends says why in words of their own, and these may be any.
    @Test func whatAPlanSaysOfItselfDoesNotEndTheArrangement() throws {
        var world = settled()
        world.policy.approvals = ApprovalPolicy(failover: 1)
        try world.restart(keeping: world.journal.count)
        world.settle()
        world.step(wish(world, inMs: 3_600_000, target: "node-3"))
        let snapshot = try #require(world.orchestrator.snapshot("demo"))
        let plan = try Planner.plan(
            cluster: snapshot, policy: world.policy,
            request: PlanRequest(
                kind: .failover, triggerReason: "scheduled", votersHeard: 3),
            estimates: world.state.estimates, digest: .real)
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil, reason: "now",
                    requestedBy: "ada", expectedPlan: plan)))
        guard case .awaitingApproval(let approval)? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(approval.plan.triggerReason == "scheduled")
        #expect(approval.trigger == .requested)
        #expect(world.state.scheduled != nil, "the arranged move stands")
    }

    /// The process dies when the run's first entry is durable, and that it was begun is not.
    @Test func itBeginsOnceThoughItsEndWasLost() throws {
        var world = settled()
        world.step(wish(world, windowS: 600, target: "node-3"))
        world.commandFailures[.demote] = .failed
        world.run(forMs: 11_000)
        let begun = try #require(
            world.journal.firstIndex { $0.kind == "run_requested" }, "it has begun")
        try world.restart(keeping: begun + 1)
        world.run(forMs: 60_000)
        let requested = world.bodies { if case .runRequested(let body) = $0 { body } else { nil } }
        #expect(requested.filter { $0.trigger == "scheduled" }.count == 1)
        #expect(world.state.scheduled == nil)
    }

    @Test func eachHoldOfItIsOneEntry() {
        var world = settled()
        world.step(wish(world, windowS: 60))
        world.step(
            .order(
                .pause("demo", SuspensionWish(owner: "o", reason: "r", durationS: 30)), by: "o"))
        world.run(forMs: 60_000)
        let held = world.bodies { if case .scheduleHeld(let body) = $0 { body } else { nil } }
        #expect(held.map(\.hold?.rule) == [.paused, nil])
        #expect(ends(world).map(\.end) == [.started])
    }

    @Test func itIsRefusedWhenTheWindowIsOver() {
        var world = settled()
        world.step(wish(world, windowS: 5, target: "node-3"))
        world.services["node-3"]?.state = .stopped
        world.commandFailures[.rejoin] = .failed
        world.run(forMs: 30_000)
        #expect(ends(world).map(\.end) == [.refused])
        #expect(ends(world).map(\.rule) == [.noEligibleTarget])
        #expect(world.alerts("continuity.schedule.refused").count == 1)
        #expect(world.state.scheduled == nil)
    }

    @Test func mistakesAreProblems() {
        var world = settled()
        let cases: [(Input, String)] = [
            (wish(world, inMs: -1), "bad-time"), (wish(world, inMs: .max / 2), "bad-time"),
            (wish(world, windowS: -1), "bad-window"), (wish(world, windowS: 90_000), "bad-window"),
            (wish(world, kind: .restart), "bad-kind"), (wish(world, target: "x"), "no-such-node"),
            (wish(world, target: "node-1"), "bad-target"),
            (wish(world, cluster: "x"), "no-such-cluster"), (wish(world, reason: ""), "bad-reason"),
        ]
        for (input, type) in cases {
            guard case .problem(let problem) = world.step(input) else {
                Issue.record("it is taken: \(input)")
                continue
            }
            #expect(problem.type == type)
        }
        #expect(world.state.scheduled == nil)
    }
}
