/// What keeps a node from becoming primary where not one acknowledged write may be lost.
extension Orchestrator {
    /// With `rpo_s` 0 a failover that cannot ask every node which may hold an acknowledged write
    /// would only fail later. One whose outcome is in doubt has asked before.
    func possibleLoss(of plan: Plan, _ id: ClusterID, _ now: Moment) -> PlanRefusal? {
        guard let cluster = state.clusters[id], plan.kind == .failover, cluster.policy.rpoS == 0,
            cluster.inDoubt == nil,
            !isStillListening(id, now)
        else { return nil }
        for node in cluster.possibleHolders.sorted() where node != cluster.primary {
            let service = observations[id]?.nodes[node]?.report?.service
            let obstacle: String
            if !isHeard(node, in: id, now) {
                obstacle = "is not heard"
            } else if service?.state != .running {
                obstacle = "does not run"
            } else {
                continue
            }
            return PlanRefusal(
                rule: .mayLoseWrites,
                evidence: "\(node) may hold more than \(plan.failoverTargetID) and \(obstacle), "
                    + "and rpo_s is 0")
        }
        return belowFloor(plan, cluster, id, now) ?? strangerAhead(of: plan, cluster, id)
    }

    /// After a run that failed: one that may hold what the primary acknowledged still tells of more
    /// than the target, and is not known to have the primary's history. Whoever is ordered to become
    /// primary then would be refused by the same readings as before, again and again; only the
    /// primary itself can settle it. Before the first run nothing is refused by reports, which may
    /// be older than what the run would read. Found by simulation.
    private func strangerAhead(
        of plan: Plan, _ cluster: ClusterState, _ id: ClusterID
    ) -> PlanRefusal? {
        let target = plan.failoverTargetID
        guard cluster.failedRunsInRow > 0, let own = position(of: target, id) else { return nil }
        let stranger = cluster.possibleHolders.subtracting(cluster.replicas).sorted().first {
            $0 != cluster.primary && (position(of: $0, id) ?? 0) > own
        }
        guard let stranger else { return nil }
        return PlanRefusal(
            rule: .mayLoseWrites,
            evidence: "\(stranger) is ahead of \(target), it is not known whether by what "
                + "\(plan.primaryNodeID) acknowledged, and rpo_s is 0")
    }

    private func position(of node: NodeID, _ id: ClusterID) -> Int64? {
        observations[id]?.nodes[node]?.report?.service.positionBytes
    }

    /// Nobody that could become primary, or be caught up with, has told as much as the primary
    /// had when it became primary.
    private func belowFloor(
        _ plan: Plan, _ cluster: ClusterState, _ id: ClusterID, _ now: Moment
    ) -> PlanRefusal? {
        guard let floor = cluster.termFloorBytes else { return nil }
        let positions = cluster.replicas.union([plan.failoverTargetID])
            .filter { isHeard($0, in: id, now) }
            .map { observations[id]?.nodes[$0]?.report?.service.positionBytes ?? .max }
        guard let most = positions.max(), most < floor else { return nil }
        return PlanRefusal(
            rule: .mayLoseWrites,
            evidence: "\(plan.failoverTargetID) has \(floor - most) bytes less than "
                + "\(plan.primaryNodeID) had when it became primary, and rpo_s is 0")
    }
}
