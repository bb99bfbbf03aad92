import ContinuityCore
import Testing

@Suite struct FleetBrakeTests {
    private func world(_ brake: BrakeSettings) -> TestWorld {
        var world = TestWorld()
        world.brake = brake
        world.start()
        world.settle()
        return world
    }

    private func crash(_ world: inout TestWorld) {
        let primary = world.state.primary
        world.services[primary]?.state = .stopped
        world.heartbeat(primary)
        world.run(forMs: 5_000)
    }

    private func latched(_ world: TestWorld) -> [BrakeLatched] {
        world.bodies { if case .brakeLatched(let body) = $0 { body } else { nil } }
    }

    @Test func oneTooManyLatchesItAndOnlyAPersonClearsIt() throws {
        var world = world(BrakeSettings(maxFailovers: 2, windowS: 600))
        crash(&world)
        crash(&world)
        #expect(world.state.term == 3)
        #expect(latched(world).isEmpty)
        crash(&world)
        #expect(world.state.term == 3)
        #expect(world.state.hold?.rule == .fleetBrake)
        #expect(world.state.hold?.evidence.contains("brake clear") == true)
        let latch = try #require(latched(world).first)
        #expect(latch.runIDs.count == 2)
        #expect(world.alerts("continuity.brake.latched").map(\.severity) == [.critical])

        // No time and no restart opens it again, and nothing more is journaled meanwhile.
        try world.restart(keeping: world.journal.count)
        world.settle()
        let told = world.holds.count
        world.run(forMs: 700_000)
        #expect(latched(world).count == 1)
        #expect(world.holds.count == told)
        #expect(world.state.term == 3)
        #expect(world.orchestrator.statusReport(at: world.now).brake.latch?.clusterID == "demo")

        guard case .noted = world.step(.order(.clearBrake(reason: "a bad rack"), by: "ada")) else {
            Issue.record("it is not cleared")
            return
        }
        #expect(world.journal.contains { $0.kind == "brake_cleared" && $0.actor == "ada" })
        world.run(forMs: 5_000)
        #expect(world.state.term == 4)
        #expect(world.state.hold == nil)
    }

    @Test func nothingToClearIsAProblem() {
        var world = world(BrakeSettings())
        guard case .problem(let problem) = world.step(.order(.clearBrake(reason: "x"), by: "a"))
        else {
            Issue.record("it is taken")
            return
        }
        #expect(problem.type == "brake-not-latched")
        guard case .problem(let empty) = world.step(.order(.clearBrake(reason: ""), by: "a"))
        else {
            Issue.record("it is taken")
            return
        }
        #expect(empty.type == "bad-reason")
    }

    @Test func itStopsNoRunThatHasBegunAndNobodyWhoAsks() {
        var world = world(BrakeSettings(maxFailovers: 1, windowS: 600))
        world.services["node-1"]?.state = .stopped
        world.holdsEffects = true
        world.heartbeat("node-1")
        #expect(world.state.run != nil)
        world.releaseHeldEffects()
        world.run(forMs: 5_000)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        crash(&world)
        #expect(world.state.hold?.rule == .fleetBrake)
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil, reason: "now",
                    requestedBy: "continuity")))
        guard case .accepted = reply else {
            Issue.record("refused: \(String(describing: reply))")
            return
        }
        world.run(forMs: 5_000)
        // What a person asked for does not count, whatever name they give.
        #expect(world.orchestrator.state.fleet.moves(atMs: world.now.utcMs).count == 1)
    }

    @Test func runsThatMovedNothingDoNotCount() {
        var policy = samplePolicy(hooks: [HookBinding(stage: .admit, pack: "no")])
        policy.cooldownS = 0
        var world = TestWorld(policy: policy)
        world.brake = BrakeSettings(maxFailovers: 1, windowS: 600)
        world.hookAnswers["no"] = HookOutcome(
            status: .ok, value: ["verdict": "deny", "reason": "not now"])
        world.start()
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 30_000)
        #expect(world.finishedRuns.count > 2)
        #expect(latched(world).isEmpty)
    }

    @Test func theWindowSlides() {
        var world = world(BrakeSettings(maxFailovers: 1, windowS: 20))
        crash(&world)
        world.run(forMs: 20_000)
        crash(&world)
        #expect(world.state.term == 3)
        #expect(latched(world).isEmpty)
    }

    @Test func aDrillTellsThatItWouldHold() {
        var world = world(BrakeSettings(maxFailovers: 1, windowS: 600))
        crash(&world)
        world.step(
            .drill(
                DrillRequest(
                    clusterID: "demo", scenario: .primaryFailure, reason: "", requestedBy: "a")))
        let drills = world.bodies { if case .drillStarted(let body) = $0 { body } else { nil } }
        #expect(drills.map(\.heldBy?.rule) == [.fleetBrake])
        #expect(latched(world).isEmpty, "a drill latches nothing")
    }
}
