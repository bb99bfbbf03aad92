/// At most so many automatic failovers within a window, across every cluster of one server. What
/// moves many clusters at once is more often a fault of what watches them than of them all.
package struct BrakeSettings: Codable, Hashable, Sendable {
    package static let maxFailoversDefault = 5
    package static let windowDefaultS: Int64 = 600

    package var maxFailovers: Int
    package var windowS: Int64

    package init(
        maxFailovers: Int = BrakeSettings.maxFailoversDefault,
        windowS: Int64 = BrakeSettings.windowDefaultS
    ) {
        self.maxFailovers = maxFailovers
        self.windowS = windowS
    }

    private enum CodingKeys: String, CodingKey {
        case maxFailovers = "max_failovers"
        case windowS = "window_s"
    }
}

/// The brake as it holds, until a person clears it.
package struct BrakeLatch: Codable, Hashable, Sendable {
    /// The cluster that would have moved next.
    package var clusterID: ClusterID
    package var evidence: String
    /// UTC milliseconds since 1970.
    package var atMs: Int64

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case evidence
        case atMs = "at_ms"
    }
}

/// What the fleet-wide brake knows: the fold of the journal.
package struct FleetState: Hashable, Sendable {
    package struct Move: Hashable, Sendable {
        package var clusterID: ClusterID
        package var runID: RunID
        package var atMs: Int64
    }

    package var settings: BrakeSettings?
    /// Automatic failovers that were begun and may have moved a primary.
    package private(set) var moves: [Move] = []
    package private(set) var latch: BrakeLatch?

    /// The settings that hold; the defaults for a journal of before there were any.
    package var brake: BrakeSettings { settings ?? BrakeSettings() }

    package func moves(atMs nowMs: Int64) -> [Move] {
        moves.filter { nowMs -| $0.atMs < brake.windowS *| 1000 }
    }

    mutating func begin(_ body: RunRequested, of cluster: ClusterID, atMs: Int64) {
        guard body.kind.isAutomaticFailover(body.trigger) else { return }
        moves = moves(atMs: atMs) + [Move(clusterID: cluster, runID: body.runID, atMs: atMs)]
    }

    /// A run that ended before anything was moved does not count.
    mutating func forget(_ run: RunID) { moves.removeAll { $0.runID == run } }

    mutating func latch(_ body: BrakeLatched, of cluster: ClusterID, atMs: Int64) {
        latch = BrakeLatch(clusterID: cluster, evidence: body.evidence, atMs: atMs)
    }

    mutating func clear() {
        latch = nil
        moves = []
    }
}

/// What sets off a run: what it began with, whatever the plan's own `trigger_reason` says, which is
/// free text where a person sends the plan.
package struct RunTrigger: StringIdentifier {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let requested: RunTrigger = "requested"
    package static let scheduled: RunTrigger = "scheduled"
    package static let nodeLost: RunTrigger = "node_lost"
    package static let weightsChanged: RunTrigger = "weights_changed"
    package static let serviceFailed: RunTrigger = "service_failed"
    package static let nodeUnreachable: RunTrigger = "node_unreachable"
    /// Two admins, past the approvals.
    package static let breakGlass: RunTrigger = "break_glass"
    /// The service is stopped because its own node fenced it at its lease's end.
    package static let fencedHere: RunTrigger = "fenced_by_agent"
    /// The service was found running as primary on a node that the journal does not name.
    package static let foundRunning: RunTrigger = "found_running"
    package static let ofPeople: [RunTrigger] = [requested, scheduled, breakGlass]
}

extension PlanKind {
    /// Whether a run of this kind that nobody asked for counts for the fleet-wide brake: starting
    /// a service again where it is moves nothing.
    func isAutomaticFailover(_ trigger: RunTrigger) -> Bool {
        switch self {
        case .failover: !RunTrigger.ofPeople.contains(trigger)
        case .rebalance: trigger == RunTrigger.nodeLost
        case .switchover, .restart, .adopt: false
        }
    }
}

extension RunState {
    /// Whether the run did anything that may have moved the service.
    var mayHaveMoved: Bool {
        promoted || operations.values.contains { $0.command == .promote }
    }
}
