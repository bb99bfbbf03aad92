import ContinuityCore
import Testing

@Suite struct DrillTests {
    private static let everyStage: [HookBinding] = [
        HookBinding(stage: .admit, pack: "guard"),
        HookBinding(stage: .preCheck, pack: "check"),
        HookBinding(stage: .demote, pack: "power", onFailure: .continue),
        HookBinding(stage: .promote, timing: .after, pack: "operator"),
        HookBinding(stage: .dnsFlip, pack: "dns"),
        HookBinding(stage: .notify, pack: "pager", onFailure: .continue),
        HookBinding(stage: .verify, timing: .after, pack: "smoke"),
        HookBinding(stage: .verify, timing: .after, pack: "quiet", skippedInDrills: true),
    ]

    private func world(hooks: [HookBinding] = everyStage) -> TestWorld {
        var world = TestWorld(policy: samplePolicy(hooks: hooks))
        world.hookAnswers["guard"] = HookOutcome(
            status: .ok, value: ["verdict": "allow", "reason": "fresh"])
        world.hookAnswers["dns"] = HookOutcome(
            status: .ok, value: true,
            effects: [["call": "dns.update", "args": ["name": "db"], "reply": ["ok": true]]])
        world.settle()
        return world
    }

    @discardableResult
    private func drill(
        _ world: inout TestWorld, _ scenario: DrillScenario = .primaryFailure
    ) -> Reply? {
        world.step(
            .drill(
                DrillRequest(
                    clusterID: "demo", scenario: scenario, reason: "quarterly",
                    requestedBy: "sre")))
    }

    private func reports(_ world: TestWorld) -> [DrillReport] {
        world.bodies { if case .drillFinished(let body) = $0 { body.report } else { nil } }
    }

    private func replayed(_ world: TestWorld) throws -> OrchestratorState {
        var state = OrchestratorState()
        for entry in world.journal { try state.replay(entry) }
        return state
    }

    @Test(arguments: DrillScenario.allCases)
    func aDrillOfAHealthyClusterWalksEveryStageAndChangesNothing(
        _ scenario: DrillScenario
    ) throws {
        var world = world()
        let before = world.state
        let services = world.services
        let alerts = world.delivered
        let seq = world.journal.count
        drill(&world, scenario)
        let report = try #require(reports(world).first)
        #expect(report.state == .passed, "\(report.detail)")
        #expect(
            report.stages.map(\.stage) == [
                .admit, .preCheck, .demote, .promote, .dnsFlip, .notify, .verify,
            ])
        #expect(report.stages.allSatisfy { $0.reached })
        let hooks = report.stages.flatMap(\.steps).filter { $0.what == "hook" }
        #expect(
            hooks.map(\.name) == [
                "guard", "check", "power", "operator", "dns", "pager", "smoke", "quiet",
            ])
        #expect(hooks.last?.outcome == "skipped")
        #expect(hooks.dropLast().allSatisfy { $0.outcome == "ok" })
        // Nothing outside: only readings left, and no alert.
        #expect(world.commands.allSatisfy { $0.name == .status })
        #expect(!world.commands.isEmpty)
        #expect(world.services == services)
        #expect(world.delivered == alerts)
        #expect(!world.hooks.contains { $0.binding.pack == "quiet" })
        #expect(world.hooks.allSatisfy { $0.isDrill && $0.context["drill"]?.bool == true })
        // Nothing inside, but for the report.
        var after = world.state
        after.lastDrill = nil
        #expect(after == before)
        #expect(
            Set(world.kinds.dropFirst(seq)) == ["drill_started", "drill_step", "drill_finished"])
        #expect(try replayed(world) == world.orchestrator.state)
    }

    @Test func theReportSaysWhatWouldHaveBeenDone() throws {
        var world = world()
        drill(&world)
        let report = try #require(reports(world).first)
        func steps(_ stage: Stage) -> [DrillReport.Step] {
            report.stages.first { $0.stage == stage }?.steps ?? []
        }
        let calls = report.stages.flatMap(\.steps).flatMap(\.wouldDo).compactMap {
            $0["call"]?.string
        }
        #expect(
            calls == [
                "agent.fence", "agent.promote", "agent.follow", "primary", "dns.update",
                "continuity.run.promoted",
            ])
        #expect(steps(.dnsFlip).first?.wouldDo.first?["args"]?["name"]?.string == "db")
        #expect(report.fromNodeID == "node-1")
        #expect(report.toNodeID == "node-2")
        #expect((report.confidence ?? 0) >= 90)
        // No run was measured: detection, the defaults for demote and promote, and no time here.
        #expect(report.predictedRTOMs == 1000 + 500 + 1000)
        #expect(report.rtoMs == 3000)
        #expect(report.meetsRTO)
    }

    @Test func predictionsComeFromMeasuredRuns() throws {
        var world = world(hooks: [])
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        world.run(forMs: 10_000)
        drill(&world)
        let report = try #require(reports(world).first)
        #expect(report.fromNodeID == "node-2")
        #expect(report.stages.first { $0.stage == .promote }?.basis == .measured)
        #expect(report.predictedRTOMs == 1000)
    }

    @Test func hooksSeeTheWorldThatIsPretended() {
        var world = world()
        drill(&world)
        let first = world.hooks.first?.context
        #expect(first?["primary"]?["status"]?.string == "failed")
        #expect(first?["primary"]?["service"]?["state"]?.string == "stopped")
        #expect(first?["cluster"]?["primary_node_id"]?.string == "node-1")
        #expect(first?["run"]?["trigger"]?.string == "service_failed")
        let last = world.hooks.last?.context
        #expect(last?["cluster"]?["primary_node_id"]?.string == "node-2")
        #expect(last?["target"]?["service"]?["role"]?.string == "primary")
    }

    @Test func aVetoAndADenialShowAsSuch() throws {
        var vetoed = world()
        vetoed.hookAnswers["check"] = HookOutcome(status: .failed, error: "not ready")
        drill(&vetoed)
        let report = try #require(reports(vetoed).first)
        #expect(report.state == .failed)
        #expect(report.detail.contains("not ready"))
        #expect(report.stages.filter { $0.reached }.map(\.stage) == [.admit, .preCheck])
        var denied = world()
        denied.hookAnswers["guard"] = HookOutcome(
            status: .ok, value: ["verdict": "deny", "reason": "lag"])
        drill(&denied)
        #expect(reports(denied).first?.state == .refused)
        #expect(denied.state.failedRunsInRow == 0)
    }

    @Test func aRealFailoverPreEmptsADrillAtOnce() throws {
        var world = world()
        world.holdsEffects = true
        drill(&world)
        #expect(world.state.drill != nil)
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        let report = try #require(reports(world).first)
        #expect(report.state == .cancelled)
        #expect(report.detail.contains("node-1 has failed in earnest"))
        #expect(world.state.run != nil)
        #expect(world.state.drill == nil)
        // The late answers of the drill's hooks go nowhere, the run goes its way.
        world.releaseHeldEffects()
        world.run(forMs: 2000)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.primary == "node-2")
        #expect(try replayed(world) == world.orchestrator.state)
    }

    @Test func aRequestedMovePreEmptsADrillToo() throws {
        var world = world()
        world.holdsEffects = true
        drill(&world)
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
        #expect(reports(world).first?.state == .cancelled)
        #expect(world.state.run?.kind == .switchover)
    }

    @Test func aDrillNeitherTakesNorGivesALease() {
        var world = world()
        world.holdsEffects = true
        drill(&world)
        guard case .report(let reply) = world.heartbeat("node-1") else {
            Issue.record("a report is answered with a report's answer")
            return
        }
        #expect(reply.leaseMs == samplePolicy().lease.durationMs)
    }

    @Test func aRestartCancelsADrillWithAReason() throws {
        var world = world()
        world.holdsEffects = true
        drill(&world)
        try world.restart(keeping: world.journal.count)
        #expect(reports(world).first?.state == .cancelled)
        #expect(reports(world).first?.detail.contains("restarted") == true)
        #expect(world.state.drill == nil)
        #expect(!world.kinds.contains("operation_intended"))
        #expect(try replayed(world) == world.orchestrator.state)
    }

    /// Killed after any of its entries, a drill ends as cancelled and leaves the cluster as it was.
    @Test func aDrillThatIsCutOffAnywhereLeavesNothing() throws {
        var whole = world()
        let before = whole.journal.count
        drill(&whole)
        for count in (before + 1)..<whole.journal.count {
            var world = whole
            try world.restart(keeping: count)
            #expect(reports(world).map(\.state) == [.cancelled], "cut at \(count)")
            #expect(world.state.primary == "node-1")
            #expect(world.state.run == nil && world.state.drill == nil)
            #expect(world.state.upkeep.isEmpty)
        }
    }

    @Test func aDrillThatNobodyAnswersEndsAtTheDeadline() {
        var world = world()
        world.holdsEffects = true
        drill(&world)
        world.run(forMs: 61_000)
        #expect(reports(world).first?.state == .failed)
        #expect(reports(world).first?.detail.contains("max_failover_time_s") == true)
    }

    @Test func whatStandsAgainstADrillIsTold() {
        func rule(_ reply: Reply?) -> HoldRule? {
            if case .refused(let refusal) = reply { refusal.rule } else { nil }
        }
        var busy = world()
        busy.holdsEffects = true
        drill(&busy)
        #expect(rule(drill(&busy)) == .drillActive)
        var manual = TestWorld(policy: samplePolicy())
        #expect(rule(drill(&manual)) == .primaryUnwell)
        #expect(
            world().orchestrator.drillProgress("drill-unknown") == nil)
    }

    @Test func whatWouldHaveHeldItIsInTheReport() throws {
        var policy = samplePolicy()
        policy.strategy = .manual
        var world = TestWorld(policy: policy)
        world.settle()
        drill(&world)
        #expect(reports(world).first?.heldBy?.rule == .strategyManual)
        #expect(reports(world).first?.state == .passed)
    }

    /// The agent of a service that has died still votes: as in earnest, it counts for the quorum.
    @Test func whoIsHeardCountsForTheQuorumOfADrill() throws {
        var policy = samplePolicy()
        policy.strategy = .quorumBased
        var world = TestWorld(policy: policy)
        world.settle()
        world.run(forMs: 10_000, silent: ["node-3"])
        guard case .drillAccepted? = drill(&world) else {
            Issue.record("the drill was refused")
            return
        }
        #expect(reports(world).first?.heldBy == nil)
        // The same in earnest.
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        world.run(forMs: 2000, silent: ["node-3"])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.primary == "node-2")
    }

    @Test func aDrillSaysWhereTheEarnestCaseWouldGoAnotherWay() throws {
        var policy = samplePolicy()
        policy.onServiceFailure = .restart
        policy.restartAttempts = 2
        policy.approvals = ApprovalPolicy(switchover: 2)
        var world = TestWorld(policy: policy)
        world.settle()
        drill(&world)
        #expect(reports(world).first?.caveats?.first?.contains("restarted on node-1") == true)
        drill(&world, .switchover)
        #expect(
            reports(world).last?.caveats == ["in earnest it would wait for 2 approvals"])
        #expect(try replayed(world) == world.orchestrator.state)
    }

    @Test func whatWouldRefuseASwitchoverIsInTheReport() throws {
        var world = world()
        world.step(
            .order(
                .pause("demo", SuspensionWish(owner: "sre", reason: "upgrade", durationS: 600)),
                by: "sre"))
        drill(&world, .switchover)
        #expect(reports(world).first?.heldBy?.rule == .paused)
    }

    @Test func changedPacksAreJournaledAndNeverDuringARun() throws {
        var world = world()
        var changed = world.policy
        changed.hooks[0].packSHA256 = "new"
        let input = Input.hookPacksChanged(
            HookPacksChanged(
                changes: [.init(pack: "guard", fromSHA256: "", toSHA256: "new")], rejected: []),
            clusters: [
                ClusterConfigured(
                    cluster: world.cluster, policy: changed, alertChannels: ["oncall"])
            ], requestedBy: "sre")
        world.holdsEffects = true
        drill(&world)
        world.step(input)
        #expect(world.state.policy.hooks[0].packSHA256 == "new")
        #expect(reports(world).first?.detail == "the packs have changed")
        #expect(try replayed(world) == world.orchestrator.state)
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
        guard case .refused(let refusal) = world.step(input) else {
            Issue.record("packs were swapped under a run")
            return
        }
        #expect(refusal.rule == .runActive)
    }
}
