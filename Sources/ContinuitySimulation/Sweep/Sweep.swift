/// Many seeds, one after the other, until one does not hold.
package struct SweepReport: Codable, Sendable {
    package var firstSeed: UInt64
    package var lastSeed: UInt64
    package var minutes: Int64
    package var seedsRun: Int = 0
    package var simulatedMs: Int64 = 0
    package var events: Int = 0
    package var runs: Int = 0
    package var promotions: Int = 0
    package var acknowledgedWrites: Int = 0
    /// With asynchronous replication only: what was acknowledged and thrown away.
    package var lostWrites: Int = 0
    package var slowestHealingMs: Int64 = 0
    /// How many seeds broke a rule; more than one only when the sweep goes on after the first.
    package var failures: Int = 0
    package var failedSeed: UInt64?
    package var failedRule: String?
    package var failedDetail: String?
    package var failedAtMs: Int64?
    /// The journal's last hash of the last seed.
    package var lastJournalHead: String = ""

    private enum CodingKeys: String, CodingKey {
        case firstSeed = "first_seed"
        case lastSeed = "last_seed"
        case minutes
        case seedsRun = "seeds_run"
        case simulatedMs = "simulated_ms"
        case events, runs, promotions
        case acknowledgedWrites = "acknowledged_writes"
        case lostWrites = "lost_writes_async"
        case slowestHealingMs = "slowest_healing_ms"
        case failures
        case failedSeed = "failed_seed"
        case failedRule = "failed_rule"
        case failedDetail = "failed_detail"
        case failedAtMs = "failed_at_ms"
        case lastJournalHead = "last_journal_head"
    }
}

extension Simulation {
    /// - Parameters:
    ///   - keepsGoing: whether seeds after the first that breaks a rule are run too.
    ///   - each: is told of every seed that broke one.
    package static func sweep(
        seeds: ClosedRange<UInt64>, minutes: Int64, mutation: SimulationMutation? = nil,
        keepsGoing: Bool = false, each: (SeedResult) -> Void = { _ in }
    ) -> SweepReport {
        var report = SweepReport(
            firstSeed: seeds.lowerBound, lastSeed: seeds.upperBound, minutes: minutes)
        for seed in seeds {
            let result = run(seed: seed, minutes: minutes, mutation: mutation)
            report.seedsRun += 1
            report.simulatedMs += result.simulatedMs
            report.events += result.events
            report.runs += result.runs
            report.promotions += result.promotions
            report.acknowledgedWrites += result.acknowledgedWrites
            report.lostWrites += result.lostWrites
            report.slowestHealingMs = max(report.slowestHealingMs, result.healedAfterMs)
            report.lastJournalHead = result.journalHead
            if let violation = result.violation {
                report.failures += 1
                each(result)
                guard report.failedSeed == nil else { continue }
                report.failedSeed = seed
                report.failedRule = violation.rule
                report.failedDetail = violation.detail
                report.failedAtMs = violation.atMs
                if !keepsGoing { return report }
            }
        }
        return report
    }
}
