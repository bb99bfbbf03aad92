/// The rules that can keep a cluster where it is. Their raw values are the names in the journal,
/// in `status` and in metrics.
package enum HoldRule: String, Codable, Hashable, Sendable, CaseIterable {
    case strategyManual = "strategy_manual"
    case strategyScheduled = "strategy_scheduled"
    case neverHealthy = "never_healthy"
    case noQuorum = "no_quorum"
    case peersReachPrimary = "peers_reach_primary"
    case freezeWindow = "freeze_window"
    case cooldown
    case retryBackoff = "retry_backoff"
    case noEligibleTarget = "no_eligible_target"
    case minHealthyNodes = "min_healthy_nodes"
    /// With `rpo_s` 0: a node that may hold an acknowledged write cannot be asked.
    case mayLoseWrites = "may_lose_writes"
    case runActive = "run_active"
    /// Against drills alone.
    case drillActive = "drill_active"
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
