import ContinuityConfig
import Foundation
import Testing

@testable import ContinuityCore

/// Where the scores of policies stand in the choice of a target.
@Suite struct TargetScoreTests {
    private func plan(_ scores: [TargetScores], _ cluster: Cluster = sampleCluster()) throws -> Plan
    {
        try Planner.plan(
            cluster: cluster, policy: samplePolicy(),
            request: PlanRequest(kind: .failover, triggerReason: "test", scores: scores),
            digest: .real)
    }

    private func scores(_ scores: [String: Int64], pack: String = "rater") -> TargetScores {
        TargetScores(pack: pack, scores: scores)
    }

    @Test func scoresComeBeforeTheOrderOfRegions() throws {
        #expect(try plan([]).failoverTargetID == "node-2")
        #expect(try plan([scores(["node-2": 1, "node-3": 2])]).failoverTargetID == "node-3")
        #expect(try plan([scores(["node-2": 2, "node-3": 2])]).failoverTargetID == "node-2")
        #expect(try plan([scores(["node-3": -5])]).failoverTargetID == "node-3", "named ones first")
    }

    @Test func theFirstPolicyThatTellsThemApartDecides() throws {
        let even = scores(["node-2": 1, "node-3": 1])
        let third = scores(["node-2": 0, "node-3": 1], pack: "b")
        let second = scores(["node-2": 9, "node-3": 1], pack: "c")
        #expect(try plan([even, third, second]).failoverTargetID == "node-3")
        #expect(try plan([even, second, third]).failoverTargetID == "node-2")
    }

    @Test func noScoreMakesANodeEligible() throws {
        var cluster = sampleCluster()
        cluster.nodes[2].capacity = 0
        #expect(
            try plan([scores(["node-3": 100, "node-1": 200])], cluster).failoverTargetID == "node-2"
        )
    }

    @Test func equalScoresGiveEqualBytesAndTheyStandInThePlan() throws {
        let rated = [scores(["node-3": 7, "node-2": 1, "a\"é": -3]), scores([:], pack: "none")]
        let first = try plan(rated)
        #expect(try plan(rated).canonicalBytes() == first.canonicalBytes())
        #expect(try CanonicalJSON.bytes(encoding: first) == first.canonicalBytes())
        #expect(first.targetScores == rated)
        #expect(try plan([scores(["node-3": 8])]).planID != first.planID)
        #expect(
            String(decoding: try plan([]).canonicalBytes(), as: UTF8.self).contains("scores")
                == false)
    }

    @Test(arguments: PlanFile.Format.allCases)
    func filesRoundTrip(_ format: PlanFile.Format) throws {
        let plan = try plan([scores(["node-3": 7, "yes": -1])])
        let file = FileManager.default.temporaryDirectory
            .appending(path: "scored-\(UUID().uuidString).\(format)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try PlanFile.text(plan, format).write(toFile: file, atomically: true, encoding: .utf8)
        #expect(try PlanFile.load(file: file, digest: .real) == plan)
    }

    // MARK: In a run

    private func outcome(_ verdict: String, _ scores: JSONValue) -> HookOutcome {
        HookOutcome(
            status: .ok, value: ["verdict": .string(verdict), "reason": "r", "scores": scores])
    }

    private func crash(_ answer: HookOutcome, others: [HookBinding] = []) -> TestWorld {
        let rater = HookBinding(stage: .admit, pack: "rater")
        var world = TestWorld(policy: samplePolicy(hooks: [rater] + others))
        world.hookAnswers["rater"] = answer
        for other in others {
            world.hookAnswers[other.pack] = HookOutcome(
                status: .ok, value: ["verdict": "allow", "reason": ""])
        }
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func replans(_ world: TestWorld) -> [RunReplanned] {
        world.bodies { if case .runReplanned(let body) = $0 { body } else { nil } }
    }

    @Test func aRunTakesTheTargetThatItsPoliciesPrefer() {
        let world = crash(
            outcome("allow", ["node-2": 1, "node-3": 2]),
            others: [HookBinding(stage: .admit, pack: "other")])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.primary == "node-3")
        #expect(replans(world).map(\.plan.failoverTargetID) == ["node-3"])
        #expect(replans(world).map(\.fromNodeID) == ["node-2"])
        // Every policy is asked about the target that is taken.
        let asked = world.hooks.filter { $0.binding.stage == .admit }
        #expect(asked.map(\.binding.pack) == ["rater", "other", "rater", "other"])
        #expect(
            asked.map { $0.context["target"]?["node_id"]?.string } == [
                "node-2", "node-2", "node-3", "node-3",
            ])
        #expect(Set(asked.map(\.operation.key)).count == 4)
    }

    @Test func policiesAreNotAskedAgainWhereTheTargetStays() {
        let world = crash(outcome("allow", ["node-2": 2, "node-3": 1]))
        #expect(world.state.primary == "node-2")
        #expect(replans(world).map(\.plan.targetScores?.first?.scores["node-2"]) == [2])
        #expect(world.hooks.filter { $0.binding.stage == .admit }.count == 1)
    }

    @Test func aDenialOfTheFinalTargetStands() {
        let world = crash(outcome("deny", ["node-3": 2]))
        #expect(world.finishedRuns.map(\.state) == [.refused])
        #expect(world.hooks.filter { $0.binding.stage == .admit }.count == 2)
        #expect(world.commands.isEmpty)
    }

    @Test(arguments: [["node-2": "much"], "high", ["node-2", "node-3"]] as [JSONValue])
    func scoresThatAreNoNumbersNeverAllow(_ scores: JSONValue) {
        let world = crash(outcome("allow", scores))
        #expect(world.finishedRuns.map(\.state) == [.refused])
        #expect(world.finishedRuns.first?.reason.contains("no table of whole numbers") == true)
    }

    @Test func aNamedTargetIsNotChanged() {
        let rater = HookBinding(stage: .admit, pack: "rater")
        var world = TestWorld(policy: samplePolicy(hooks: [rater]))
        world.hookAnswers["rater"] = outcome("allow", ["node-3": 2])
        world.settle()
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .switchover, targetNodeID: "node-2", reason: "",
                    requestedBy: "sre")))
        world.settle()
        #expect(world.state.primary == "node-2")
        #expect(replans(world).isEmpty)
    }

    @Test func aDrillShowsTheSameChoice() throws {
        let rater = HookBinding(stage: .admit, pack: "rater")
        var world = TestWorld(policy: samplePolicy(hooks: [rater]))
        world.hookAnswers["rater"] = outcome("allow", ["node-3": 2])
        world.settle()
        world.step(
            .drill(
                DrillRequest(
                    clusterID: "demo", scenario: .switchover, reason: "", requestedBy: "sre")))
        world.settle()
        let reports: [DrillReport] = world.bodies {
            if case .drillFinished(let body) = $0 { body.report } else { nil }
        }
        let report = try #require(reports.first)
        #expect(report.state == .passed, "\(report.detail)")
        #expect(report.toNodeID == "node-3")
    }
}
