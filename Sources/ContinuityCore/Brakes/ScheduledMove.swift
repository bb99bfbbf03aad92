/// A move that is arranged for a time. One for each cluster: who wants another cancels the first.
package struct ScheduledMove: Codable, Hashable, Sendable {
    package static let windowRangeS: ClosedRange<Int64> = 0...86_400
    /// Ninety days: nobody remembers what was arranged longer ago.
    package static let aheadMaxS: Int64 = 7_776_000

    package var kind: PlanKind
    package var targetNodeID: NodeID?
    /// Who was the primary when it was arranged: the move is away from it, and from nobody else.
    package var fromNodeID: NodeID
    /// UTC milliseconds since 1970.
    package var atMs: Int64
    /// For how long after `atMs` it may still begin.
    package var windowMs: Int64
    package var reason: String
    package var requestedBy: String
    /// As ``Principal/knownBy``.
    package var knownBy: [String]?

    package var untilMs: Int64 { atMs +| windowMs }

    private enum CodingKeys: String, CodingKey {
        case kind
        case targetNodeID = "target_node_id"
        case fromNodeID = "from_node_id"
        case atMs = "at_ms"
        case windowMs = "window_ms"
        case reason
        case requestedBy = "requested_by"
        case knownBy = "known_by"
    }
}

/// What a person asks to have arranged.
package struct ScheduleWish: Hashable, Sendable {
    package var clusterID: ClusterID
    package var kind: PlanKind
    package var targetNodeID: NodeID?
    package var atMs: Int64
    package var windowS: Int64
    package var reason: String
    /// Of the credential that asks, as ``Principal/knownBy``.
    package var knownBy: [String]?

    package init(
        clusterID: ClusterID, kind: PlanKind, targetNodeID: NodeID?, atMs: Int64, windowS: Int64,
        reason: String, knownBy: [String]? = nil
    ) {
        self.clusterID = clusterID
        self.kind = kind
        self.targetNodeID = targetNodeID
        self.atMs = atMs
        self.windowS = windowS
        self.reason = reason
        self.knownBy = knownBy
    }
}

/// What became of an arranged move.
package enum ScheduleEnd: String, Codable, Hashable, Sendable, CaseIterable {
    case started, cancelled
    /// It was due, and a rule stood against it until its window was over.
    case refused
    /// Nobody was there to begin it.
    case missed
}

package struct MoveScheduled: Codable, Hashable, Sendable {
    package var move: ScheduledMove

    package init(move: ScheduledMove) { self.move = move }
}

/// It is due, and a rule stands against it; with `hold` absent, none does any more.
package struct ScheduleHeld: Codable, Hashable, Sendable {
    package var hold: Hold?

    package init(hold: Hold?) { self.hold = hold }
}

package struct ScheduleEnded: Codable, Hashable, Sendable {
    package var end: ScheduleEnd
    package var runID: RunID?
    package var rule: HoldRule?
    package var reason: String

    package init(end: ScheduleEnd, runID: RunID? = nil, rule: HoldRule? = nil, reason: String) {
        self.end = end
        self.runID = runID
        self.rule = rule
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case end
        case runID = "run_id"
        case rule, reason
    }
}

/// The last arranged move of a cluster, and what became of it.
package struct ScheduleSummary: Codable, Hashable, Sendable {
    package var move: ScheduledMove
    package var end: ScheduleEnd
    package var runID: RunID?
    package var rule: HoldRule?
    package var reason: String
    package var endedAtMs: Int64

    private enum CodingKeys: String, CodingKey {
        case move, end
        case runID = "run_id"
        case rule, reason
        case endedAtMs = "ended_at_ms"
    }
}

extension ClusterState {
    mutating func schedule(_ body: JournalBody, atMs: Int64) {
        switch body {
        case .moveScheduled(let body):
            scheduled = body.move
            scheduledHold = nil
            scheduledApproval = nil
        case .scheduleHeld(let body): scheduledHold = body.hold
        case .scheduleEnded(let body):
            endScheduled()
            guard let move = lastMove else { return }
            lastMove = nil
            lastScheduled = ScheduleSummary(
                move: move, end: body.end, runID: body.runID, rule: body.rule,
                reason: body.reason, endedAtMs: atMs)
        default: break
        }
    }

    /// Its run is requested, or the approval for it, or it has ended: it never begins twice, also
    /// when the process dies before the entry that says so is durable.
    mutating func endScheduled() {
        lastMove = scheduled ?? lastMove
        scheduled = nil
        scheduledHold = nil
        scheduledApproval = nil
    }
}
