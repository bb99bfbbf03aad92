import ContinuityCore
import Testing

@Suite struct HookStageTests {
    private func crash(
        _ binding: HookBinding, _ outcome: HookOutcome
    ) -> TestWorld {
        var world = TestWorld(policy: samplePolicy(hooks: [binding]))
        world.hookAnswers[binding.pack] = outcome
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func verdict(_ verdict: String) -> HookOutcome {
        HookOutcome(status: .ok, value: ["verdict": .string(verdict), "reason": "because"])
    }

    @Test func policiesDecideOnAdmission() {
        let binding = HookBinding(stage: .admit, pack: "guard")
        #expect(crash(binding, verdict("allow")).finishedRuns.map(\.state) == [.committed])
        #expect(crash(binding, verdict("abstain")).finishedRuns.map(\.state) == [.committed])
        let denied = crash(binding, verdict("deny"))
        #expect(denied.finishedRuns.map(\.state) == [.refused])
        #expect(denied.finishedRuns.first?.reason == "guard denies: because")
        #expect(denied.commands.isEmpty, "nothing was touched")
    }

    @Test(arguments: [
        HookOutcome(status: .limit, limit: "instructions"), HookOutcome(status: .crash),
        HookOutcome(status: .error, error: "bug"), HookOutcome(status: .ok, value: true),
        HookOutcome(status: .ok, value: ["verdict": "perhaps"]),
    ])
    func aPolicyThatCannotAnswerNeverAllows(_ outcome: HookOutcome) {
        let world = crash(HookBinding(stage: .admit, pack: "guard"), outcome)
        #expect(world.finishedRuns.map(\.state) == [.refused])
    }

    @Test func aVetoStopsTheRunBeforeAnythingIsTouched() {
        let world = crash(
            HookBinding(stage: .preCheck, pack: "check"),
            HookOutcome(status: .failed, error: "not ready"))
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.commands.isEmpty)
    }

    @Test func onFailureContinueGoesOnAndCostsConfidence() {
        let world = crash(
            HookBinding(stage: .notify, pack: "pager", onFailure: .continue),
            HookOutcome(status: .error, error: "bug"))
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.lastRun?.confidence == 75)
    }

    @Test func retriesAreCountedAndInOrder() {
        let world = crash(
            HookBinding(stage: .notify, pack: "pager", retries: 2, onFailure: .continue),
            HookOutcome(status: .failed, error: "no"))
        #expect(world.hooks.map(\.operation.attempt) == [1, 2, 3])
        #expect(Set(world.hooks.map(\.operation.key)).count == 3)
    }

    /// One pack twice at a stage: each call has its own binding, also where it is answered after a
    /// restart, and whatever the text of its key is.
    @Test func aCallNamesItsBinding() throws {
        let bindings = [
            HookBinding(stage: .dnsFlip, pack: "dns", configuration: ["zone": "a"]),
            HookBinding(stage: .dnsFlip, pack: "dns", configuration: ["zone": "b"]),
            HookBinding(
                stage: .dnsFlip, timing: .after, pack: "dns", configuration: ["zone": "c"]),
        ]
        var world = TestWorld(policy: samplePolicy(hooks: bindings))
        world.hookAnswers["dns"] = HookOutcome(status: .ok, value: true)
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        #expect(world.hooks.map { $0.binding.configuration["zone"] } == ["a", "b", "c"])
        #expect(
            world.hooks.map(\.operation.place) == [
                HookPlace(timing: .before, index: 0), HookPlace(timing: .before, index: 1),
                HookPlace(timing: .after, index: 0),
            ])
        // An operation of before places were journaled is told by its key.
        var old = world.hooks[1].operation
        old.place = nil
        #expect(
            world.orchestrator.binding(of: old, world.state)?.configuration["zone"] == "b")
    }

    /// What the shell needs of the run stands in the call as it is, not in the hook's JSON alone.
    @Test func aCallNamesPlanClusterAndEpoch() throws {
        let world = crash(HookBinding(stage: .preCheck, pack: "check"), HookOutcome(status: .ok))
        let call = try #require(world.hooks.first)
        #expect(call.plan.failoverTargetID == "node-2")
        #expect(call.plan.kind == .failover)
        #expect(call.epoch == 1)
        #expect(call.cluster == world.cluster)
        #expect(call.services["node-2"]?.streaming == true)
    }

    @Test func afterThePointOfNoReturnNothingIsUndone() {
        let world = crash(
            HookBinding(stage: .dnsFlip, pack: "dns", onFailure: .rollback),
            HookOutcome(status: .failed, error: "no"))
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.state.primary == "node-2")
        #expect(!world.commands.contains { $0.name == .restart })
    }

    @Test func aSwitchoverVetoedAfterTheFenceIsRolledBack() {
        var world = TestWorld(
            policy: samplePolicy(hooks: [HookBinding(stage: .promote, pack: "gate")]))
        world.hookAnswers["gate"] = HookOutcome(status: .failed, error: "no")
        world.settle()
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                    requestedBy: "sre")))
        #expect(world.finishedRuns.map(\.state) == [.rolledBack])
        #expect(world.services["node-1"]?.state == .running)
    }

    @Test func hooksGetTheContextThatTheirGuidePromises() {
        let world = crash(HookBinding(stage: .preCheck, pack: "check"), HookOutcome(status: .ok))
        let context = world.hooks.first?.context
        #expect(context?["target"]?["node_id"]?.string == "node-2")
        #expect(context?["target"]?["service"]?["streaming"]?.bool == true)
        #expect(context?["run"]?["kind"]?.string == "failover")
        #expect(context?["plan"]?["failover_target_id"]?.string == "node-2")
        #expect(context?["epoch"]?.int == 1)
    }

    @Test func aHooksNotificationIsAnAlertOfItsOwnAndNeverTwoForOneCall() {
        var world = TestWorld()
        world.settle()
        let notification = HookNotification(
            operation: "run/notify/1", clusterID: "demo", runID: "run", pack: "pager", index: 1,
            channel: "oncall", severity: .critical, summary: "moved", data: .null)
        world.step(.hookNotified(notification))
        world.step(.hookNotified(notification))
        let alerts = world.bodies { body -> AlertID? in
            if case .alertQueued(let body) = body { body.alert.alertID } else { nil }
        }
        #expect(Set(alerts).count == 1)
    }
}
