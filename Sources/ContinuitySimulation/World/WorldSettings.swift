package import ContinuityCore

/// What a world is made of.
package struct WorldSettings: Sendable {
    package var seed: UInt64
    package var cluster: Cluster
    package var policy: FailoverPolicy
    /// Whether a write is acknowledged only when one standby has it.
    package var isSynchronous: Bool
    package var mutation: SimulationMutation?
    /// Whether lines for people are collected.
    package var isTraced = false
    /// Whether clocks drift, and by how much at most, in millionths.
    package var driftPpm: Int64 = 0
    /// Hooks do what they should, or by chance not.
    package var hooksFailByChance = false
    /// Who answers hooks; `nil`: the seed and the scenario.
    package var hooks: (any SimulatedHooks)?
    package var brake = BrakeSettings()
    package var writeIntervalMs: Int64 = 100

    /// For faults by chance, which would latch any sensible brake in no time.
    static let openBrake = BrakeSettings(maxFailovers: 1_000_000)

    package init(
        seed: UInt64, cluster: Cluster, policy: FailoverPolicy, isSynchronous: Bool,
        mutation: SimulationMutation? = nil
    ) {
        self.seed = seed
        self.cluster = cluster
        self.policy = policy
        self.isSynchronous = isSynchronous
        self.mutation = mutation
    }
}

/// A rule that did not hold.
package struct Violation: Sendable, Equatable {
    package var rule: String
    package var detail: String
    package var atMs: Int64
}
