import ContinuityCore
import Testing

@Suite struct HookEffectTests {
    private func crashed(_ hooks: [HookBinding]) -> TestWorld {
        var world = TestWorld(policy: samplePolicy(hooks: hooks))
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func intent(_ operation: OperationKey) -> Input {
        .hookEffect(
            HookEffectIntended(
                operation: operation, runID: "run", pack: "dns", digests: nil, sequence: 1,
                call: "dns.update", arguments: [:]), "demo")
    }

    @Test func anEffectOfARunThatIsOverMustNotLeave() throws {
        var world = crashed([HookBinding(stage: .dnsFlip, pack: "dns")])
        let key = try #require(world.hooks.first?.operation.key)
        let before = world.bodies { body in
            if case .hookEffectIntended = body { true } else { nil }
        }
        world.step(intent(key))
        world.step(intent("of/nobody"))
        let after = world.bodies { body in
            if case .hookEffectIntended = body { true } else { nil }
        }
        #expect(before.isEmpty && after.isEmpty)
    }

    @Test func anEffectOfAPendingCallIsJournaledFirst() throws {
        let digests = HookDigests(script: "s", manifest: "m", grant: "g")
        var orchestrator = try pendingHook(digests)
        let operation = try #require(
            orchestrator.state.clusters["demo"]?.run?.pendingOperations.first { $0.kind == .hook })
        #expect(operation.digests == digests, "what runs, and by whose leave, is in the intent")
        let result = orchestrator.step(
            intent(operation.key), at: Moment(monotonicMs: 1_000_000, utcMs: 1_000_000))
        #expect(result.reply == .effectIntended)
        #expect(result.entries.first?.kind == "hook_effect_intended")
        let entry = try #require(result.entries.first)
        guard case .hookEffectIntended(let body) = try JournalBody(of: entry) else {
            Issue.record("the entry is not what it was")
            return
        }
        #expect(body.call == "dns.update" && body.sequence == 1)
    }

    /// An orchestrator whose run waits for its hook: the world without the hook's answer.
    private func pendingHook(_ digests: HookDigests) throws -> Orchestrator {
        let world = crashed([HookBinding(stage: .dnsFlip, pack: "dns", digests: digests)])
        var state = OrchestratorState()
        for entry in world.journal {
            if entry.kind == "operation_finished",
                case .operationFinished(let body) = try JournalBody(of: entry),
                body.stage == .dnsFlip
            {
                break
            }
            try state.replay(entry)
        }
        return Orchestrator(state: state, digest: .real)
    }

    @Test func aPackThatStandsTwiceAtAStageGetsEachTimeItsOwnGrant() {
        let world = crashed([
            HookBinding(
                stage: .notify, pack: "hook", configuration: ["n": 1],
                grant: ["notify": ["one"]]),
            HookBinding(
                stage: .notify, pack: "hook", configuration: ["n": 2],
                grant: ["notify": ["two"]]),
        ])
        #expect(world.hooks.map { $0.binding.configuration["n"] } == [1, 2])
        #expect(world.hooks.map { $0.binding.grant?["notify"] } == [["one"], ["two"]])
    }
}
