/// Which leases may be outstanding, and by whose promises a primary may go on without them.
extension ClusterState {
    /// The lease of an active node of an older agent, which knows no role without one. It excludes
    /// nobody from anything, so it need not be short.
    static let activeLeaseMs: Int64 = 3_600_000

    var leaseMs: Int64 {
        cluster.topology == .activeActive ? Self.activeLeaseMs : policy.lease.durationMs
    }

    /// The longest lease that may be outstanding when a process begins to lead.
    var longestLeaseMs: Int64 { max(leaseMs, formerLeaseMs ?? 0) }

    /// A promotion needs the denials of as many voters as a decision needs votes. So promises of
    /// the voters that are then left suffice a primary. Where the policy moves without quorum, one
    /// voter alone may bar the primary's promises, and it needs all.
    var promiseRule: PromiseRule {
        let voters = cluster.nodes.map(\.nodeID)
        return PromiseRule(
            voters: voters,
            needed: policy.needsQuorum
                ? max(0, voters.count - cluster.quorumSize) : max(0, voters.count - 1))
    }

    /// A promise outlasts the lease that rests on it by a ninth, and no lease is longer than this.
    var promiseLimitMs: Int64 { longestLeaseMs + longestLeaseMs / 8 + 100 }

    /// Whether the node may ask for promises: by the journal, or because of an order in doubt.
    func mayBePrimary(_ node: NodeID) -> Bool {
        isActive(node) || node == inDoubt || run?.plan.primaryNodeID == node
    }

    mutating func inheritLeases(from body: ClusterConfigured) {
        let isActivePassive = body.cluster.topology == .activePassive
        let nextMs = isActivePassive ? body.policy.lease.durationMs : Self.activeLeaseMs
        if nextMs < leaseMs { formerLeaseMs = max(formerLeaseMs ?? 0, leaseMs) }
        guard cluster.topology == .activeActive, isActivePassive else { return }
        unleased.formUnion(cluster.nodes.filter { $0.role == .primary }.map(\.nodeID))
    }

    /// What it does not tell of may have granted the longest lease there is, to any node.
    mutating func distrustRestoredJournal() {
        mayBeBehind = true
        formerLeaseMs = max(formerLeaseMs ?? 0, LeaseSettings.longestMs)
    }

    mutating func learn(_ body: JournalBody) {
        switch body {
        case .formerLeasesEnded(let body):
            if let former = formerLeaseMs, former <= body.leaseMs {
                formerLeaseMs = nil
                // Whoever else was primary had no lease for so long, nor promises on this word.
                mayBeBehind = false
            }
        case .leaseOutlived(let body):
            if body.isOutlived {
                outlivedLease.insert(body.nodeID)
            } else {
                outlivedLease.remove(body.nodeID)
            }
        case .promiseRuleKnown(let body):
            if body.nodeID == primary,
                let index = promiseRules.lastIndex(where: { $0.id == body.rule })
            {
                promiseRules.removeFirst(index)
            }
        case .leaseObeyed(let body): unleased.remove(body.nodeID)
        default: break
        }
    }
}
