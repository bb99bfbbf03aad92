/// Active/active: several nodes serve at once, each with its weight. Losing one shifts its weight
/// to the others, within what they can bear; nobody is promoted. Coming back goes in steps.
extension Orchestrator {
    mutating func considerWeights(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], let snapshot = reachable(id, now),
            !isStillListening(id, now)
        else { return }
        let current = cluster.weights
        let wanted = WeightPlanner(cluster: snapshot, policy: cluster.policy)
            .divide(current: current, mayReturn: mayReturn(cluster, now))
        let changes = wanted.weights.filter { $0.weight != cluster.weight(of: $0.nodeID) }
        guard !changes.isEmpty else {
            return setHold(holdOfSilentNode(id, cluster, now), id, now)
        }
        if let hold = brake(id, cluster, now) { return setHold(hold, id, now) }
        // A node that is out of service and still has weight: its clients get no answer.
        let isLoss = changes.contains { $0.weight == 0 && cluster.status(of: $0.nodeID) == .failed }
        let trigger = isLoss ? RunTrigger.nodeLost : RunTrigger.weightsChanged
        do throws(PlanRefusal) {
            var request = PlanRequest(kind: .rebalance, triggerReason: trigger.rawValue)
            request.weights = current
            request.mayReturn = mayReturn(cluster, now)
            request.votersHeard = heardNodes(in: id, now).count
            let plan = try Planner.plan(
                cluster: snapshot, policy: cluster.policy, request: request,
                estimates: cluster.estimates, digest: digest)
            if plan.kind.isAutomaticFailover(trigger) { try passFleetBrake(id, now) }
            setHold(nil, id, now)
            start(
                plan, kind: .rebalance, trigger: trigger, by: "continuity", reason: "",
                targetIsFixed: true, id, now)
        } catch {
            setHold(Hold(rule: error.rule, evidence: error.evidence), id, now)
        }
    }

    /// The cluster as it is now, where a node whose report is late takes nothing more: when a region
    /// is lost, its nodes fall silent one after the other.
    private func reachable(_ id: ClusterID, _ now: Moment) -> Cluster? {
        guard var cluster = snapshot(id), let policy = state.clusters[id]?.policy else {
            return nil
        }
        for index in cluster.nodes.indices where cluster.nodes[index].status == .healthy {
            let heardAt = observations[id]?.nodes[cluster.nodes[index].nodeID]?.heardAtMs
            let isLate = heardAt.map { now.monotonicMs - $0 > 2 * policy.detection.intervalMs }
            if isLate != false { cluster.nodes[index].status = .unknown }
        }
        return cluster
    }

    private func mayReturn(_ cluster: ClusterState, _ now: Moment) -> Bool {
        guard let last = cluster.weightsShiftedAtMs else { return true }
        return now.utcMs -| last >= cluster.policy.weighting.returnIntervalS *| 1000
    }

    /// A node that is not heard and not confirmed as failed would be taken out of service if it
    /// were.
    private mutating func holdOfSilentNode(
        _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> Hold? {
        let silent = cluster.cluster.activeNodes.first {
            cluster.status(of: $0.nodeID) == .unknown && cluster.weight(of: $0.nodeID) > 0
                && cluster.nodeMaintenance[$0.nodeID] == nil
        }
        guard let silent, cluster.wasHealthy else {
            observations[id]?.suspectedSinceMs = nil
            return nil
        }
        return holdOfSilence(silent.nodeID, id, cluster, now)
    }

    mutating func weightsShifted(_ run: RunState, _ id: ClusterID, _ now: Moment) {
        emit(
            .weightsShifted(
                WeightsShifted(
                    runID: run.runID, weights: run.plan.weights ?? [],
                    shedPermille: run.plan.shedPermille ?? 0)), cluster: id, now)
    }

    /// A node of an active/active cluster that does not run is started where it is: its data is
    /// its own, and no other node can serve in its name.
    mutating func startActiveNodes(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        let busy = Set(cluster.upkeep.values.compactMap(\.nodeID))
        for node in cluster.cluster.activeNodes where !busy.contains(node.nodeID) {
            guard isHeard(node.nodeID, in: id, now),
                let seen = observations[id]?.nodes[node.nodeID],
                seen.report?.service.state == .stopped, now.monotonicMs >= seen.upkeepNotBeforeMs,
                cluster.maintenance(of: node.nodeID) == nil
            else { continue }
            let key = OperationKey("upkeep-\(state.head.seq + 1)/\(node.nodeID)/restart")
            intend(
                .command(
                    .restart, on: node.nodeID, key: key, timeoutMs: RunScript.restartTimeoutMs,
                    onFailure: .continue), id, now)
        }
    }
}

extension ClusterState {
    package func weight(of node: NodeID) -> Int64 {
        weights[node] ?? cluster.node(node)?.weight ?? 0
    }

    mutating func shift(_ body: WeightsShifted, atMs: Int64) {
        for share in body.weights { weights[share.nodeID] = share.weight }
        weightsShiftedAtMs = atMs
    }
}
