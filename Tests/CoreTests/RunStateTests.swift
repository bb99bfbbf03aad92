import ContinuityCore
import Testing

/// Two states that differ in anything are different: the fold check of the simulation, and whoever
/// looks for a change, rests on it.
@Suite struct RunStateTests {
    private func request() throws -> RunRequested {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        return try #require(
            world.bodies { if case .runRequested(let body) = $0 { body } else { nil } }.first)
    }

    @Test func eachMemberOfARunCounts() throws {
        let request = try request()
        let run = RunState(request, atMs: 1)
        #expect(run == RunState(request, atMs: 1))
        let changes: [(inout RunState) -> Void] = [
            { $0.kind = .restart }, { $0.trigger = "requested" }, { $0.requestedBy = "ana" },
            { $0.reason = "because" }, { $0.requestedAtMs = 2 }, { $0.deadlineAtMs += 1 },
            { $0.mayLoseData = true }, { $0.isBreakGlass = true }, { $0.targetIsFixed = true },
            { $0.isScored = true }, { $0.failedTargets = ["node-2"] }, { $0.admissionRound = 2 },
            { $0.alerts = ["alert-1"] },
            { $0.verdicts = [PolicyVerdict(pack: "p", verdict: .allow, reason: "")] },
            { $0.stageStarts = [.init(stage: .demote, atMs: 1)] },
        ]
        for (index, change) in changes.enumerated() {
            var other = run
            change(&other)
            #expect(other != run, "change \(index) is not seen")
        }
    }

    @Test func whatWasTriedInARunCounts() throws {
        let request = try request()
        let operation = Operation.command(
            .promote, on: "node-2", key: "key", runID: request.runID, stage: .promote,
            timeoutMs: 1)
        var one = RunFacts(request, atMs: 1)
        one.take(.operationIntended(OperationIntended(operation: operation)), atMs: 2)
        var other = one
        one.take(
            .operationFinished(
                OperationFinished(operation: "key", result: OperationResult(outcome: .ok))),
            atMs: 3)
        other.take(
            .operationFinished(
                OperationFinished(operation: "key", result: OperationResult(outcome: .failed))),
            atMs: 3)
        #expect(one != other)
        #expect(RunFacts(request, atMs: 1) != RunFacts(request, atMs: 2))
    }
}
