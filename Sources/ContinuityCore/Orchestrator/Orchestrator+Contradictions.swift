/// Where the journal, the files and what agents report contradict each other: nothing is touched,
/// a hold says what contradicts what, and what to do.
extension Orchestrator {
    /// Whether this process has heard the node say that it runs as primary.
    func isSeenAsPrimary(_ node: NodeID, _ id: ClusterID, _ now: Moment) -> Bool {
        guard isHeard(node, in: id, now) else { return false }
        let service = observations[id]?.nodes[node]?.report?.service
        return service?.state == .running && service?.role == .primary
    }

    /// Whether it is heard, and is primary, well or not.
    func actsAsPrimary(_ node: NodeID, _ id: ClusterID, _ now: Moment) -> Bool {
        guard isHeard(node, in: id, now) else { return false }
        let service = observations[id]?.nodes[node]?.report?.service
        return service?.role == .primary
            && (service?.state == .running || service?.state == .failing)
    }

    /// A node that runs as primary, or may, although the journal names another. While the
    /// journal's own primary is heard as one too, the other is stale, and is stopped.
    func anotherPrimary(_ id: ClusterID, _ now: Moment) -> NodeID? {
        guard let cluster = state.clusters[id], cluster.cluster.topology == .activePassive,
            !isSeenAsPrimary(cluster.primary, id, now)
        else { return nil }
        return cluster.cluster.nodes.map(\.nodeID).first { node in
            guard node != cluster.primary, node != cluster.inDoubt, isHeard(node, in: id, now),
                let seen = observations[id]?.nodes[node], let service = seen.report?.service,
                // What was reported before the last run's end tells nothing of its effect.
                seen.heardAtMs ?? 0 > observations[id]?.settledAtMs ?? .min
            else { return false }
            return service.role == .primary && service.state != .stopped
        }
    }

    /// In a cluster that never ran, the files have only named the wrong node: who runs as primary
    /// while every other node is heard running as a secondary, is taken for it.
    mutating func adoptFoundPrimary(
        _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> Bool {
        guard cluster.term == 1, !cluster.wasHealthy, cluster.lastRun == nil, !cluster.mayBeBehind,
            otherLeadership(id, now) == nil, let node = anotherPrimary(id, now)
        else { return false }
        let others = cluster.cluster.nodes.filter { $0.holdsData && $0.nodeID != node }
        for other in others {
            guard isHeard(other.nodeID, in: id, now),
                let service = observations[id]?.nodes[other.nodeID]?.report?.service,
                // One that is stopped would be made to rejoin: it may hold what nobody else does.
                service.state == .running, service.role == .secondary
            else { return false }
        }
        let request = PlanRequest(
            kind: .adopt, triggerReason: RunTrigger.foundRunning.rawValue, targetNodeID: node)
        guard let plan = try? plan(id, request, now) else { return false }
        setHold(nil, id, now)
        start(
            plan, kind: .adopt, trigger: RunTrigger.foundRunning, by: "continuity", reason: "",
            targetIsFixed: true, id, now)
        return true
    }

    /// What bars every move: somebody else decides, or somebody else is primary.
    func holdOfStrangers(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Hold? {
        if let other = otherLeadership(id, now) {
            return Hold(
                rule: .otherLeadership,
                evidence: "\(other.node) obeys epoch \(other.epoch)"
                    + (other.instanceID.map { " of \($0)" } ?? "")
                    + ", this process leads epoch \(state.epoch): stop the other orchestrator, or "
                    + "restore the newest journal")
        }
        guard let node = anotherPrimary(id, now) else {
            return holdOfRestoredJournal(id, cluster, now)
        }
        return Hold(
            rule: .anotherPrimary,
            evidence: "\(node) runs as primary, the journal names \(cluster.primary), which does "
                + "not: 'continuity adopt --cluster \(id) --node \(node)', or stop \(node)")
    }

    /// A node that is not heard may be the primary that the journal does not tell of.
    private func holdOfRestoredJournal(
        _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> Hold? {
        guard cluster.mayBeBehind, !isSeenAsPrimary(cluster.primary, id, now),
            let node = cluster.cluster.nodes.map(\.nodeID).first(where: { node in
                node != cluster.primary && cluster.cluster.node(node)?.holdsData == true
                    && !isHeard(node, in: id, now)
            })
        else { return nil }
        return Hold(
            rule: .anotherPrimary,
            evidence: "the journal was restored and may lack a failover, and \(node), which may be "
                + "primary, is not heard: bring its agent back, or wait")
    }

    /// What is told although nothing has failed.
    func holdOfContradiction(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Hold? {
        if let hold = holdOfStrangers(id, cluster, now) { return hold }
        if let node = cluster.inDoubt {
            return Hold(
                rule: .promotionInDoubt,
                evidence: "\(node) was ordered to become primary and it is not known what came of "
                    + "it: no other node gets a lease or is brought back")
        }
        return holdOfConfiguration(id, now)
    }

    func refusalOfStrangers(
        _ request: OperatorRequest, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> PlanRefusal? {
        if request.kind == .adopt {
            return otherLeadership(id, now) == nil
                ? nil : holdOfStrangers(id, cluster, now)?.asRefusal
        }
        return holdOfStrangers(id, cluster, now)?.asRefusal ?? survivor(request, cluster)
    }

    /// The end of its lease would never count as proof for a primary that outlived it.
    private func survivor(
        _ request: OperatorRequest, _ cluster: ClusterState
    ) -> PlanRefusal? {
        let primary = cluster.primary
        guard request.kind == .failover, !request.isBreakGlass,
            cluster.outlivedLease.contains(primary) || cluster.unleased.contains(primary),
            cluster.status(of: primary) == .unknown
        else { return nil }
        return PlanRefusal(
            rule: .peersReachPrimary,
            evidence: "the service of \(primary) was reached after its lease had ended: nothing "
                + "fences it. Stop it from outside, then ask with --break-glass, or let its agent "
                + "be heard again")
    }
}

extension Hold {
    var asRefusal: PlanRefusal { PlanRefusal(rule: rule, evidence: evidence) }
}

extension HoldRule {
    /// Whether the rule means that a service is left where it is, not that it is kept stopped.
    var sparesService: Bool {
        switch self {
        case .paused, .strategyManual, .strategyScheduled, .freezeWindow, .cooldown, .flapBackoff:
            true
        default: false
        }
    }
}
