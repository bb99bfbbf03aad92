import ContinuityCore
import Testing

/// What a hook did not do in its run is done later.
@Suite struct UndoneHookTests {
    private static let away = HookOutcome(status: .failed, error: "the name server is away")

    private func binding(
        _ stage: Stage = .dnsFlip, onFailure: HookBinding.FailureResponse = .continue,
        repeatable: Bool = true, acts: Bool? = nil
    ) -> HookBinding {
        HookBinding(
            stage: stage, pack: "dns", onFailure: onFailure, repeatable: repeatable, acts: acts)
    }

    /// The primary dies while the name server is away; node-1 comes back as a secondary.
    private func failedOver(_ binding: HookBinding) -> TestWorld {
        var world = TestWorld(policy: samplePolicy(hooks: [binding]))
        world.hookAnswers["dns"] = Self.away
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func settled(_ world: TestWorld) -> [HookSettled] {
        world.bodies { if case .hookSettled(let body) = $0 { body } else { nil } }
    }

    @Test func aMissedHookIsCalledAgainUntilItSucceeds() {
        var world = failedOver(binding())
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.undoneInOrder.map(\.body.pack) == ["dns"])
        #expect(world.alerts("continuity.hook.undone").count == 1)
        world.run(forMs: 30_000)
        #expect(world.state.health == .degraded)
        #expect(
            world.state.healthEvidence
                == "all 3 nodes are healthy; dns at dns_flip is not done: "
                + "failed the name server is away")
        // The run's own, then after 2, 4, 8 and 16 s.
        #expect(world.hooks.count == 5, "\(world.hooks.count)")
        #expect(Set(world.hooks.map(\.operation.key)).count == 5)
        #expect(
            world.hooks.allSatisfy { $0.context["target"]?["node_id"]?.string == "node-2" })

        world.hookAnswers["dns"] = nil
        world.run(forMs: 20_000)
        #expect(world.hooks.count == 6)
        #expect(settled(world).map(\.end) == [.done])
        #expect(world.state.undoneHooks.isEmpty && world.state.health == .healthy)
        #expect(world.alerts("continuity.hook.settled").count == 1)
        #expect(world.alerts("continuity.hook.undone").count == 1)
        world.run(forMs: 120_000)
        #expect(world.hooks.count == 6, "nothing is done twice")
    }

    @Test func theStatusTellsWhatIsUndoneAndSinceWhen() throws {
        var world = failedOver(binding())
        world.run(forMs: 10_000)
        let status = try #require(
            world.orchestrator.statusReport(at: world.now).clusters.first?.undoneHooks?.first)
        #expect(status.pack == "dns" && status.stage == .dnsFlip)
        #expect(status.detail == "failed the name server is away" && status.attempts == 3)
    }

    /// Nothing is undone after the promotion, so what an aborted run did not come to must follow.
    @Test func aRunThatFailedAfterThePromotionIsFinishedToo() {
        var world = failedOver(binding(onFailure: .abort))
        #expect(world.finishedRuns.map(\.state) == [.failed])
        world.hookAnswers["dns"] = nil
        world.run(forMs: 10_000)
        #expect(settled(world).map(\.end) == [.done])
        #expect(world.state.health == .healthy)
    }

    @Test func aNewerRunTakesItsPlace() {
        var world = failedOver(binding())
        world.run(forMs: 60_000)
        let before = world.hooks.count
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: "node-3", reason: "",
                    requestedBy: "sre")))
        #expect(world.state.primary == "node-3")
        #expect(settled(world).map(\.end) == [.superseded])
        #expect(world.state.undoneInOrder.map(\.body.runID) == [world.state.lastRun?.runID])
        world.run(forMs: 20_000)
        let later = world.hooks.dropFirst(before)
        #expect(later.count > 2)
        #expect(
            later.allSatisfy { $0.context["target"]?["node_id"]?.string == "node-3" },
            "the record never goes back to node-2")
    }

    @Test func aPersonGivesItUp() {
        var world = failedOver(binding())
        let order = Input.order(
            .dismissHook("demo", pack: "dns", reason: "changed by hand"), by: "ada")
        guard case .noted = world.step(order) else {
            Issue.record("not taken")
            return
        }
        #expect(settled(world).map(\.end) == [.dismissed])
        #expect(world.journal.contains { $0.kind == "hook_settled" && $0.actor == "ada" })
        let calls = world.hooks.count
        world.run(forMs: 60_000)
        #expect(world.hooks.count == calls && world.state.health == .healthy)
        guard case .problem(let problem) = world.step(order) else {
            Issue.record("taken twice")
            return
        }
        #expect(problem.type == "hook-not-undone")
    }

    @Test func whatMustNotBeCalledTwiceWaitsForAPerson() throws {
        var world = TestWorld(policy: samplePolicy(hooks: [binding(repeatable: false)]))
        world.settle()
        world.unansweredHooks = ["dns"]
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.heldEffects.count == 1)
        world.unansweredHooks = []
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 60_000)
        let undone = try #require(world.state.undoneInOrder.first)
        #expect(undone.body.isInDoubt == true)
        #expect(world.hooks.isEmpty, "it was never called again")
        #expect(world.state.health == .degraded)
        #expect(
            world.alerts("continuity.hook.undone").first?.summary.contains("dismiss") == true)
    }

    @Test func checksLeaveNothingUndoneAndNotificationsDegradeNobody() {
        var check = failedOver(binding(.verify))
        check.run(forMs: 20_000)
        #expect(check.state.undoneHooks.isEmpty && check.hooks.count == 1)
        var promotion = failedOver(binding(.promote, acts: false))
        promotion.run(forMs: 20_000)
        #expect(promotion.state.undoneHooks.isEmpty && promotion.hooks.count == 1)
        var note = failedOver(binding(.notify))
        note.run(forMs: 20_000)
        #expect(note.state.undoneHooks.count == 1 && note.hooks.count > 3)
        #expect(note.state.health == .healthy)
    }

    @Test func anUnboundHookIsGivenUpAndOneThatMovedInThePolicyIsNot() throws {
        var gone = failedOver(binding())
        gone.policy.hooks = []
        try gone.restart(keeping: gone.journal.count)
        gone.run(forMs: 10_000)
        #expect(settled(gone).map(\.end) == [.unbound] && gone.state.undoneHooks.isEmpty)

        var moved = failedOver(binding())
        moved.policy.hooks = [HookBinding(stage: .dnsFlip, pack: "first"), binding()]
        moved.hookAnswers["dns"] = nil
        try moved.restart(keeping: moved.journal.count)
        moved.run(forMs: 10_000)
        #expect(settled(moved).map(\.end) == [.unbound, .done])
        #expect(moved.hooks.last?.operation.key.rawValue.contains("1-dns") == true)
    }

    @Test func aCallThatARestartCutOffIsMadeAgainUnderItsKey() throws {
        var world = failedOver(binding())
        world.holdsEffects = true
        world.run(forMs: 3_000)
        let isPending = world.heldEffects.contains { if case .hook = $0 { true } else { false } }
        #expect(isPending)
        let key = try #require(world.state.upkeep.values.first { $0.kind == .hook }?.key)
        world.holdsEffects = false
        world.hookAnswers["dns"] = nil
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 10_000)
        #expect(world.hooks.last?.operation.key == key)
        #expect(settled(world).map(\.end) == [.done])
    }

    @Test func itsEffectsAreJournaledFirstAndMustNotLeaveOnceARunIsUnderWay() throws {
        var world = failedOver(binding())
        world.holdsEffects = true
        world.run(forMs: 3_000)
        let key = try #require(world.state.upkeep.values.first { $0.kind == .hook }?.key)
        let intent = Input.hookEffect(
            HookEffectIntended(
                operation: key, runID: nil, pack: "dns", digests: nil, sequence: 1,
                call: "dns.update", arguments: [:]), "demo")
        #expect(world.step(intent) == .effectIntended)
        world.services["node-2"]?.state = .stopped
        world.heartbeat("node-2")
        #expect(world.state.run != nil)
        #expect(world.step(intent) == .effectTooLate)
    }

    @Test func nothingIsDoneInAPauseOrWhileNobodyIsPrimary() {
        var world = failedOver(binding())
        let calls = world.hooks.count
        let wish = SuspensionWish(owner: "ada", reason: "works", durationS: 600)
        world.step(.order(.pause("demo", wish), by: "ada"))
        world.run(forMs: 30_000)
        #expect(world.hooks.count <= calls + 1, "the call that was due at once")
        #expect(world.state.health == .degraded)
    }
}
