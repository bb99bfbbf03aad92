import ContinuityCore

/// What came of one seed.
package struct SeedResult: Sendable {
    package var seed: UInt64
    package var violation: Violation?
    package var simulatedMs: Int64
    package var events: Int
    package var runs: Int
    package var failovers: Int
    package var promotions: Int
    package var acknowledgedWrites: Int
    package var lostWrites: Int
    /// From the end of the faults until all was well.
    package var healedAfterMs: Int64
    /// The journal's last hash: equal for equal seeds, in every process.
    package var journalHead: String
    /// With a trace only.
    package var trace: [String]
}

/// Runs one seed: faults for a while, then none, and all must be well again in time.
package enum Simulation {
    /// How long a cluster may take to be well once all faults have ceased. An order whose
    /// connection is lost may wait for ten minutes (`rejoin`), a retry for five.
    package static let healingLimitMs: Int64 = 900_000

    package static func run(
        seed: UInt64, minutes: Int64, mutation: SimulationMutation? = nil, isTraced: Bool = false
    ) -> SeedResult {
        let faultMs = minutes * 60_000
        let plan = FaultPlan(seed: seed, faultMs: faultMs, mutation: mutation)
        var settings = plan.settings
        settings.isTraced = isTraced
        let world = World(settings)
        for (atMs, fault) in plan.faults where atMs < faultMs {
            world.events.add(.fault(fault), atMs: atMs)
        }
        // A process that died at the very end needs a moment to be back.
        world.run(untilMs: faultMs + 10_000)
        if world.violation == nil {
            world.ceaseFaults()
            world.run(untilMs: world.nowMs + healingLimitMs) { $0.isHealed }
            world.checkHealed()
        }
        return SeedResult(
            seed: seed, violation: world.violation, simulatedMs: world.nowMs,
            events: world.eventCount, runs: world.checker.runsBegun,
            failovers: world.checker.failovers, promotions: world.checker.promotions,
            acknowledgedWrites: world.writes.count, lostWrites: world.writes.lost,
            healedAfterMs: max(0, world.nowMs - faultMs - 10_000),
            journalHead: world.serve.durable.head.hash, trace: world.lines)
    }
}
