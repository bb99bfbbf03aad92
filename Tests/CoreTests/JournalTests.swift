import ContinuityCore
import Testing

@Suite struct JournalTests {
    private func finishedWorld() -> TestWorld {
        var world = TestWorld(
            policy: samplePolicy(hooks: [
                HookBinding(stage: .admit, pack: "guard", repeatable: true),
                HookBinding(stage: .preCheck, pack: "check", repeatable: true),
                HookBinding(stage: .notify, pack: "pager", onFailure: .continue),
            ]))
        world.hookAnswers["guard"] = HookOutcome(status: .ok, value: ["verdict": "allow"])
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    @Test func theFoldOfTheJournalIsTheLiveState() throws {
        var world = finishedWorld()
        world.settle()
        var state = OrchestratorState()
        for entry in world.journal { try state.replay(entry) }
        #expect(state == world.orchestrator.state)
    }

    @Test func aJournalOfANewerFormatIsRefusedWithTheWayBack() throws {
        let newer = LeadershipStarted(
            instanceID: "serve", bodyFormat: ProductVersion.journal.writes + 1, version: "9.1.0")
        let entries = [
            ("leadership_started", CanonicalJSON.bytes(try JSONValue(encoding: newer)), "9.1.0"),
            ("nodes_blessed", Array("{}".utf8), "nodes_blessed"),
        ].map { kind, body, named in
            (
                JournalEntry(
                    after: .empty, epoch: 1, atMs: 1, actor: "serve", clusterID: nil, kind: kind,
                    body: body, digest: .real), named
            )
        }
        for (entry, named) in entries {
            let fault = #expect(throws: JournalFault.self) {
                var state = OrchestratorState()
                try state.replay(entry)
            }
            #expect(fault?.seq == 1)
            #expect(fault?.reason.contains("newer") == true, "\(fault?.reason ?? "")")
            #expect(fault?.reason.contains(named) == true)
            #expect(fault?.reason.contains("restore a backup") == true)
        }
    }

    @Test func theFirstEntryOfALeadershipNamesTheProgram() throws {
        let body = try JournalBody(of: try #require(finishedWorld().journal.first))
        guard case .leadershipStarted(let started) = body else {
            Issue.record("the first entry is \(body)")
            return
        }
        #expect(started.version == ProductVersion.number)
    }

    @Test func theChainHoldsAndEveryChangeIsFoundWhereItIs() throws {
        let journal = finishedWorld().journal
        func fault(_ entries: [JournalEntry]) -> JournalFault? {
            var verifier = ChainVerifier(digest: .real)
            for entry in entries {
                do throws(JournalFault) {
                    try verifier.check(entry)
                } catch {
                    return error
                }
            }
            do throws(JournalFault) {
                try verifier.finish()
            } catch {
                return error
            }
            return nil
        }
        #expect(fault(journal) == nil)
        for index in journal.indices {
            var changed = journal
            changed[index].body[0] ^= 1
            #expect(fault(changed)?.seq == journal[index].seq)
            changed = journal
            changed[index].atMs += 1
            #expect(fault(changed)?.seq == journal[index].seq)
            changed = journal
            changed[index].actor += " "
            #expect(fault(changed)?.seq == journal[index].seq)
            changed = journal
            changed.remove(at: index)
            if index < journal.count - 1 {
                #expect(fault(changed)?.seq == journal[index].seq + 1)
            }
        }
        var swapped = journal
        swapped.swapAt(3, 4)
        #expect(fault(swapped) != nil)
    }

    /// The process is killed after each entry of a run, with everything later lost, and started
    /// again: the run ends, with one primary, and nothing that must not be repeated is.
    @Test func aRunGoesOnFromEveryEntryOfItsJournal() throws {
        let whole = finishedWorld()
        let first = try #require(whole.kinds.firstIndex(of: "run_requested"))
        for count in (first + 1)...whole.journal.count {
            var world = finishedWorld()
            // The world outside remembers what was done; only the process forgets.
            try world.restart(keeping: count)
            world.run(forMs: 30_000)
            #expect(world.state.run == nil, "entry \(count)")
            #expect(world.state.primary == "node-2", "entry \(count)")
            #expect(world.state.lastRun?.state == .committed, "entry \(count)")
            #expect(world.state.health == .healthy, "entry \(count)")
            var state = OrchestratorState()
            for entry in world.journal { try state.replay(entry) }
            #expect(state == world.orchestrator.state, "entry \(count)")
            let primaries = world.services.values.filter {
                $0.role == .primary && $0.state == .running
            }
            #expect(primaries.count == 1, "entry \(count)")
        }
    }

    /// Found with `demo --scenario node-loss --kill-serve-at run_requested`: a check that was
    /// called again at once saw a target that "was never heard", and vetoed.
    @Test func aHookIsCalledAgainOnlyWhenItsContextIsKnownAgain() throws {
        var world = TestWorld(
            policy: samplePolicy(hooks: [
                HookBinding(stage: .preCheck, pack: "check", repeatable: true)
            ]))
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.holdsEffects = true
        world.heartbeat("node-1")
        world.holdsEffects = false
        try world.restart(keeping: world.journal.count)
        #expect(world.hooks.isEmpty)
        world.run(forMs: 5_000)
        #expect(world.hooks.count == 1)
        #expect(world.hooks.first?.context["target"]?["heard_ms_ago"]?.int != nil)
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func aHookThatMustNotRunTwiceStopsTheRunInDoubt() throws {
        var world = TestWorld(
            policy: samplePolicy(hooks: [HookBinding(stage: .preCheck, pack: "once")]))
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.holdsEffects = true
        world.heartbeat("node-1")
        #expect(world.heldEffects.contains { if case .hook = $0 { true } else { false } })
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 1_000)
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.finishedRuns.first?.reason.contains("must not run twice") == true)
    }

    @Test func pendingAlertsAreDeliveredAfterARestart() throws {
        var world = TestWorld()
        world.settle()
        world.holdsEffects = true
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.delivered.isEmpty)
        world.holdsEffects = false
        try world.restart(keeping: world.journal.count)
        #expect(!world.delivered.isEmpty)
        #expect(world.orchestrator.state.pendingAlerts.isEmpty)
    }

    @Test func anUnknownKindIsAFault() {
        let entry = JournalEntry(
            after: .empty, epoch: 1, atMs: 0, actor: "a", clusterID: nil, kind: "from_the_future",
            body: Array("{}".utf8), digest: .real)
        #expect(throws: JournalFault.self) { try JournalBody(of: entry) }
    }
}
