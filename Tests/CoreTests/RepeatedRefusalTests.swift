import ContinuityCore
import Testing

/// A dead primary and a policy that denies: each retry is journaled, people are paged once.
@Suite struct RepeatedRefusalTests {
    private static let guardPack = HookBinding(stage: .admit, pack: "guard")

    private func denied() -> TestWorld {
        var world = TestWorld(policy: samplePolicy(hooks: [Self.guardPack]))
        world.settle()
        deny(&world, "too far behind")
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func deny(_ world: inout TestWorld, _ reason: String) {
        world.hookAnswers["guard"] = HookOutcome(
            status: .ok, value: ["verdict": "deny", "reason": .string(reason)])
    }

    /// What pages somebody about the runs.
    private func pages(_ world: TestWorld) -> [String] {
        world.bodies { body in
            guard case .alertQueued(let queued) = body else { return nil }
            let type = queued.alert.type
            return type.hasPrefix("continuity.run.") || type == "continuity.hold.set" ? type : nil
        }
    }

    @Test func eachRetryIsJournaledAndOnlyTheFirstPages() {
        var world = denied()
        #expect(world.finishedRuns.map(\.state) == [.refused])
        world.run(forMs: 5000)
        let first = pages(world)
        #expect(first.filter { $0 == "continuity.run.started" }.count == 1)
        let runs = world.finishedRuns.count
        world.run(forMs: 1_800_000)
        #expect(world.finishedRuns.count > runs + 4, "it is tried again")
        #expect(world.finishedRuns.allSatisfy { $0.state == .refused })
        let later = pages(world)
        #expect(later.filter { $0 == "continuity.run.started" }.count == 1)
        #expect(later.filter { $0 == "continuity.run.refused" }.count == 1, "\(later)")
        #expect(later == first, "\(later)")
    }

    /// What is new is told: another reason, and that it goes through at last.
    @Test func anotherReasonPagesAgainAndSoDoesItsEnd() {
        var world = denied()
        world.run(forMs: 60_000)
        let before = pages(world).filter { $0 == "continuity.run.refused" }.count
        deny(&world, "a freeze")
        world.run(forMs: 600_000)
        #expect(pages(world).filter { $0 == "continuity.run.refused" }.count == before + 1)
        world.hookAnswers["guard"] = HookOutcome(
            status: .ok, value: ["verdict": "allow", "reason": "caught up"])
        world.run(forMs: 600_000)
        #expect(world.state.primary == "node-2")
        #expect(pages(world).contains("continuity.run.promoted"))
    }

    /// Who asks anew wants to hear the answer.
    @Test func aRequestIsAlwaysAnsweredAloud() {
        var world = denied()
        world.run(forMs: 60_000)
        let before = pages(world).filter { $0 == "continuity.run.started" }.count
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil, reason: "please",
                    requestedBy: "ada")))
        #expect(pages(world).filter { $0 == "continuity.run.started" }.count == before + 1)
    }
}
