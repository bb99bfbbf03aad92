/// The rules that can keep a cluster where it is. Their raw values are the names in the journal,
/// in `status` and in metrics.
package enum HoldRule: String, Codable, Hashable, Sendable, CaseIterable {
    case strategyManual = "strategy_manual"
    case strategyScheduled = "strategy_scheduled"
    case neverHealthy = "never_healthy"
    case noQuorum = "no_quorum"
    case peersReachPrimary = "peers_reach_primary"
    case paused
    case maintenance
    /// Too many automatic failovers across the fleet.
    case fleetBrake = "fleet_brake"
    case freezeWindow = "freeze_window"
    case cooldown
    /// The cooldown of a cluster that moved by itself more than once.
    case flapBackoff = "flap_backoff"
    /// Against planned moves alone.
    case sloGuard = "slo_guard"
    case retryBackoff = "retry_backoff"
    /// Against arranged moves, and plans that were sent whole: what they were made for is over.
    case planChanged = "plan_changed"
    case noEligibleTarget = "no_eligible_target"
    /// The nodes that are left cannot bear the whole load.
    case capacityExceeded = "capacity_exceeded"
    case minHealthyNodes = "min_healthy_nodes"
    /// With `rpo_s` 0: a node that may hold an acknowledged write cannot be asked.
    case mayLoseWrites = "may_lose_writes"
    case runActive = "run_active"
    /// A node was ordered to become primary, and nobody knows what came of it.
    case promotionInDoubt = "promotion_in_doubt"
    /// A node runs as primary that is not the primary by the journal.
    case anotherPrimary = "another_primary"
    /// Nodes obey another orchestrator, or a later leadership than this one.
    case otherLeadership = "other_leadership"
    /// What the files say of the nodes cannot be taken now.
    case configurationConflict = "configuration_conflict"
    /// A mistake of continuity itself in this cluster: nothing moves by itself until a person
    /// resumes it.
    case internalFault = "internal_fault"
    /// Against a second request alone.
    case approvalPending = "approval_pending"
    /// Against another break-glass alone: too many wait for their review.
    case openReviews = "open_reviews"
    /// Against drills alone.
    case drillActive = "drill_active"
    /// Against drills and arranged moves.
    case primaryUnwell = "primary_unwell"
}

/// Something would have moved and did not.
package struct Hold: Codable, Hashable, Sendable {
    package var rule: HoldRule
    package var evidence: String
    /// The earliest UTC time at which the rule could let it pass; `nil` when no clock decides.
    package var earliestAtMs: Int64?

    package init(rule: HoldRule, evidence: String, earliestAtMs: Int64? = nil) {
        self.rule = rule
        self.evidence = evidence
        self.earliestAtMs = earliestAtMs
    }

    private enum CodingKeys: String, CodingKey {
        case rule, evidence
        case earliestAtMs = "earliest_at_ms"
    }
}
