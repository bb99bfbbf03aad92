import ContinuitySimulation
import Testing

/// The seeded simulation of the real core. `continuity simulate --seeds` runs many more.
@Suite struct SweepTests {
    @Test func noRuleBreaksUnderFaultsByChance() {
        let report = Simulation.sweep(seeds: 1...12, minutes: 1)
        #expect(
            report.failedSeed == nil,
            "seed \(report.failedSeed ?? 0): \(report.failedRule ?? "") \(report.failedDetail ?? "")"
        )
        #expect(report.seedsRun == 12)
        // A sweep in which nothing happens shows nothing.
        #expect(report.runs > 12)
        #expect(report.promotions > 5)
        #expect(report.acknowledgedWrites > 1000)
    }

    @Test func theSameSeedIsTheSameRunWithTraceAndWithout() {
        for seed: UInt64 in [3, 7] {
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
}
