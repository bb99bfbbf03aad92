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

/// A mistake of this program in the cluster's run: nothing of it moves by itself until it is resumed.
package struct ClusterQuarantined: Codable, Hashable, Sendable {
    package var runID: RunID
    package var reason: String

    package init(runID: RunID, reason: String) {
        self.runID = runID
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case reason
    }
}

/// A person has looked at a quarantined cluster.
package struct QuarantineEnded: Codable, Hashable, Sendable {
    package var reason: String

    package init(reason: String) { self.reason = reason }
}

/// Nothing of the cluster moves until it is resumed or the time is over.
package struct PauseStarted: Codable, Hashable, Sendable {
    package var suspension: Suspension

    package init(suspension: Suspension) { self.suspension = suspension }
}

package struct PauseEnded: Codable, Hashable, Sendable {
    package var end: SuspensionEnd
    package var reason: String

    package init(end: SuspensionEnd, reason: String) {
        self.end = end
        self.reason = reason
    }
}

/// People work on a node, or on the whole cluster where `nodeID` is `nil`.
package struct MaintenanceStarted: Codable, Hashable, Sendable {
    package var nodeID: NodeID?
    package var suspension: Suspension

    package init(nodeID: NodeID?, suspension: Suspension) {
        self.nodeID = nodeID
        self.suspension = suspension
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case suspension
    }
}

package struct MaintenanceEnded: Codable, Hashable, Sendable {
    package var nodeID: NodeID?
    package var end: SuspensionEnd
    package var reason: String

    package init(nodeID: NodeID?, end: SuspensionEnd, reason: String) {
        self.nodeID = nodeID
        self.end = end
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case end, reason
    }
}
