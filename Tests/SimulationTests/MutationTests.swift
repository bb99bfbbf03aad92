import ContinuitySimulation
import Foundation
import Testing

/// Shows that the checker can see: each rule is broken on purpose, around the core, and a seed of
/// the sweep finds it. The number is the first seed that does, of those from 1 on with two
/// minutes of faults; so it says how many seeds it took.
@Suite struct MutationTests {
    static let firstSeeds: [(mutation: SimulationMutation, seed: UInt64)] = [
        (.effectsBeforeJournal, 1), (.journalLosesEntry, 1), (.holdsWithoutEvidence, 1),
        (.orchestratorClockRuns, 1), (.agentClocksCrawl, 1), (.leaseNeverEnds, 2),
        (.leaseAlwaysGranted, 2), (.rejoinNeverWorks, 3), (.deadlineNeverComes, 2),
        (.resultsForgotten, 3), (.leaseFromArrival, 4), (.receiptForged, 16),
        (.peerViewsForged, 4), (.refusalsForgotten, 8),
        (.positionsForged, 29), (.epochsIgnored, 29), (.hooksRepeated, 128),
        (.promisesBroken, 83), (.promisesNotDenied, 83),
        (.lateOrdersAccepted, 168), (.approvalsForgotten, 3), (.capacitiesIgnored, 5),
        (.restartedAgentIsPatient, 725),
    ]

    /// Rules behind which a second one holds now, so that breaking one of them alone shows nothing:
    /// any voter that reaches a primary bars the end of its lease as proof. Hundreds of seeds and
    /// every scenario were tried.
    static let secondLines: [SimulationMutation] = [
        .stallsHidden, .promisesWithoutMargin, .denialsEndTooSoon,
    ]

    /// Rules that faults by chance come to too seldom: a scenario finds each.
    static let scenarios: [(mutation: SimulationMutation, file: String)] = [
        (.unknownDisarms, "node-status-unknown"), (.promiseSetIgnored, "node-promise-set"),
        (.leaseAgainstPromise, "node-lease-against-promise"),
        (.begunForgotten, "node-promotion-begun"),
        (.formerLeasesForgotten, "lease-shortened-at-restart"),
    ]

    @Test(arguments: scenarios.indices)
    func aBrokenRuleOfANodeIsFound(_ index: Int) throws {
        let (mutation, file) = Self.scenarios[index]
        let path = "\(ScenarioTests.folder)/\(file).scenario"
        let scenario = try Scenario(text: String(contentsOfFile: path, encoding: .utf8))
        #expect(!scenario.outcome().contains("VIOLATION"))
        #expect(
            scenario.outcome(mutation: mutation).contains("VIOLATION"),
            "\(mutation.rawValue) is not found by \(file) any more")
    }

    @Test(arguments: firstSeeds.indices)
    func aBrokenRuleIsFound(_ index: Int) {
        let (mutation, seed) = Self.firstSeeds[index]
        let broken = Simulation.run(seed: seed, minutes: 2, mutation: mutation)
        #expect(
            broken.violation != nil, "\(mutation.rawValue) is not found by seed \(seed) any more")
    }

    @Test func everyMutationIsTried() {
        let tried =
            Self.firstSeeds.map(\.mutation) + Self.scenarios.map(\.mutation) + Self.secondLines
        #expect(Set(tried) == Set(SimulationMutation.allCases))
    }
}
