import ContinuitySimulation
import Testing

/// The seeded simulation of the real core. `continuity simulate --seeds` runs many more.
@Suite struct SweepTests {
    @Test func noRuleBreaksUnderFaultsByChance() {
        let report = Simulation.sweep(seeds: 1...24, minutes: 1)
        #expect(
            report.failedSeed == nil,
            "seed \(report.failedSeed ?? 0): \(report.failedRule ?? "") \(report.failedDetail ?? "")"
        )
        #expect(report.seedsRun == 24)
        // A sweep in which nothing happens shows nothing.
        #expect(report.runs > 24)
        #expect(report.promotions > 10)
        #expect(report.acknowledgedWrites > 1000)
    }

    @Test func theSameSeedIsTheSameRunWithTraceAndWithout() {
        for seed: UInt64 in [3, 7, 91] {
            let first = Simulation.run(seed: seed, minutes: 1)
            let second = Simulation.run(seed: seed, minutes: 1, isTraced: true)
            #expect(first.journalHead == second.journalHead)
            #expect(first.events == second.events)
            #expect(first.acknowledgedWrites == second.acknowledgedWrites)
            #expect(first.trace.isEmpty && !second.trace.isEmpty)
        }
        let other = Simulation.run(seed: 4, minutes: 1)
        #expect(other.journalHead != Simulation.run(seed: 3, minutes: 1).journalHead)
    }

    /// What the sweep found in the core once, each with the seed that shows it (two or three
    /// simulated minutes of faults).
    @Test(arguments: [
        (seed: UInt64(4), minutes: Int64(3)), (28, 3), (32, 3), (105, 3), (113, 3), (155, 3),
        (188, 3),
    ])
    func whatWasFoundOnceStaysMended(_ found: (seed: UInt64, minutes: Int64)) {
        let result = Simulation.run(seed: found.seed, minutes: found.minutes)
        #expect(result.violation == nil)
    }
}
