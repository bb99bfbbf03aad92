/// What reports tell of leases, promises and leaderships.
extension Orchestrator {
    /// Two looks at agent and service, the pause between two rounds, and the way here.
    static let oldestViewIntervals: Int64 = 6

    /// A service that answers a peer although its agent is silent and its lease is long over has
    /// nobody who fences it. From then on the lease's end proves nothing of it, also when it is
    /// not reached any more: it may be paused, or overloaded. Until its agent is heard. In the
    /// journal, for the next process must know it too.
    mutating func noteSurvivors(_ report: NodeReport, _ id: ClusterID, _ now: Moment) {
        guard let intervalMs = state.clusters[id]?.policy.detection.intervalMs else { return }
        if state.clusters[id]?.outlivedLease.contains(report.nodeID) == true {
            emit(
                .leaseOutlived(LeaseOutlived(nodeID: report.nodeID, isOutlived: false)),
                cluster: id, now)
        }
        for (node, view) in report.peers.sorted(by: { $0.key < $1.key })
        where view == .serviceOnly {
            // What a peer reports it may have seen some intervals ago.
            guard let cluster = state.clusters[id], cluster.isActive(node),
                !cluster.outlivedLease.contains(node), !isHeard(node, in: id, now),
                now.monotonicMs >= leaseEndMs(node, id) + Self.oldestViewIntervals * intervalMs
            else { continue }
            emit(
                .leaseOutlived(
                    LeaseOutlived(nodeID: node, isOutlived: true, seenBy: report.nodeID)),
                cluster: id, now)
        }
    }

    /// The primary names the rule that it asks for promises by, and whether it obeys leases.
    mutating func noteLeaseKnowledge(of report: NodeReport, _ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        let node = report.nodeID
        if node == cluster.primary, cluster.promiseRules.count > 1,
            let rule = cluster.promiseRules.last?.id, report.promiseRule == rule
        {
            emit(
                .promiseRuleKnown(PromiseRuleKnown(nodeID: node, rule: rule)), cluster: id, now)
        }
        if cluster.unleased.contains(node), cluster.cluster.topology == .activePassive,
            report.isUnleased != true, obeysThis(report)
        {
            emit(.leaseObeyed(LeaseObeyed(nodeID: node)), cluster: id, now)
        }
    }

    /// Leases of earlier policies have been waited out once this process has led for so long.
    mutating func endFormerLeases(_ id: ClusterID, _ now: Moment) {
        guard let former = state.clusters[id]?.formerLeaseMs,
            let cluster = state.clusters[id], let observation = observations[id]
        else { return }
        let margin = cluster.policy.lease.marginMs + former / 10
        guard now.monotonicMs >= observation.formerLeasesSinceMs + former + margin else { return }
        emit(.formerLeasesEnded(FormerLeasesEnded(leaseMs: former)), cluster: id, now)
    }

    // MARK: Other leaderships

    /// A node that obeys somebody else.
    struct OtherLeadership {
        let node: NodeID
        let epoch: Int64
        let instanceID: String?
    }

    private func obeysThis(_ report: NodeReport) -> Bool {
        report.highestEpoch == state.epoch
            && (report.instanceID ?? state.instanceID) == state.instanceID
    }

    /// Two processes may lead on copies of one journal, and a restored journal may begin with an
    /// epoch that was used up long ago. Agents obey the first that they hear in an epoch. As long
    /// as one of them names another, and no majority names this process, it neither grants a lease
    /// nor moves anything.
    func otherLeadership(_ id: ClusterID, _ now: Moment) -> OtherLeadership? {
        guard let cluster = state.clusters[id], let seen = observations[id]?.nodes else {
            return nil
        }
        var other: OtherLeadership?
        var ours = 0
        for node in cluster.cluster.nodes where isHeard(node.nodeID, in: id, now) {
            guard let report = seen[node.nodeID]?.report else { continue }
            if obeysThis(report) {
                ours += 1
            } else if other == nil, report.highestEpoch >= state.epoch {
                other = OtherLeadership(
                    node: node.nodeID, epoch: report.highestEpoch, instanceID: report.instanceID)
            }
        }
        return ours >= cluster.cluster.quorumSize ? nil : other
    }
}
