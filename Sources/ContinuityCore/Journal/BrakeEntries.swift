/// What holds for every cluster of the server, from now on.
package struct FleetConfigured: Codable, Hashable, Sendable {
    package var brake: BrakeSettings

    package init(brake: BrakeSettings) { self.brake = brake }
}

/// One more automatic failover would have been too many.
package struct BrakeLatched: Codable, Hashable, Sendable {
    package var evidence: String
    package var brake: BrakeSettings
    /// The runs that count.
    package var runIDs: [RunID]

    package init(evidence: String, brake: BrakeSettings, runIDs: [RunID]) {
        self.evidence = evidence
        self.brake = brake
        self.runIDs = runIDs
    }

    private enum CodingKeys: String, CodingKey {
        case evidence, brake
        case runIDs = "run_ids"
    }
}

/// A person has looked, and lets clusters move by themselves again.
package struct BrakeCleared: Codable, Hashable, Sendable {
    package var reason: String

    package init(reason: String) { self.reason = reason }
}
