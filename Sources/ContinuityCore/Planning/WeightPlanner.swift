/// Divides the load of an active/active cluster among the nodes that are left. Whole numbers
/// only, ties by node id: equal inputs give equal weights.
package struct WeightPlanner: Sendable {
    package struct Result: Hashable, Sendable {
        /// In the cluster's order.
        package var weights: [NodeWeight]
        /// What nobody can bear, in thousandths of the whole load, rounded up.
        package var shedPermille: Int64
    }

    private let nodes: [Node]
    private let limits: [Int64]
    private let total: Int64
    private let settings: WeightSettings

    package init(cluster: Cluster, policy: FailoverPolicy) {
        nodes = cluster.activeNodes
        limits = nodes.map(cluster.weightMax(of:))
        total = cluster.totalWeight
        settings = policy.weighting
    }

    /// - Parameters:
    ///   - current: What each node has now; nodes that are not named have their own weight.
    ///   - mayReturn: Whether nodes that come back may take their next step.
    package func divide(current: [NodeID: Int64], mayReturn: Bool) -> Result {
        var weights = nodes.map { own($0, current[$0.nodeID] ?? $0.weight, mayReturn) }
        var missing = max(0, total - weights.reduce(0, +))
        // Those that are wholly in service first; those that return only for what is left then.
        for isWhole in [true, false] {
            let open = nodes.indices.filter {
                bears(nodes[$0])
                    && (weights[$0] >= nodes[$0].weight) == isWhole
                    && (current[nodes[$0].nodeID] ?? nodes[$0].weight) + weights[$0] > 0
            }
            spread(&missing, over: open, &weights)
        }
        return Result(
            weights: zip(nodes, weights).map { NodeWeight(nodeID: $0.nodeID, weight: $1) },
            shedPermille: total == 0 ? 0 : (missing * 1000 + total - 1) / total)
    }

    private func bears(_ node: Node) -> Bool { node.status == .healthy && !node.inMaintenance }

    /// What a node gets for itself, before others' shares.
    private func own(_ node: Node, _ current: Int64, _ mayReturn: Bool) -> Int64 {
        if node.status == .failed || node.inMaintenance { return 0 }
        guard current < node.weight else { return node.weight }
        guard mayReturn, node.status == .healthy else { return current }
        return min(node.weight, current + max(1, node.weight * settings.returnStepPermille / 1000))
    }

    /// In proportion to the nodes' own weights, until each has what it can bear.
    private func spread(_ missing: inout Int64, over open: [Int], _ weights: inout [Int64]) {
        var open = open.filter { weights[$0] < limits[$0] && nodes[$0].weight > 0 }
        while missing > 0, !open.isEmpty {
            let sum = open.reduce(0) { $0 + nodes[$1].weight }
            var given: Int64 = 0
            for index in open {
                let share = missing * nodes[index].weight / sum
                let gain = min(share, limits[index] - weights[index])
                weights[index] += gain
                given += gain
            }
            missing -= given
            if given == 0 {
                // Less than one unit for each: one by one, by id.
                for index in open.sorted(by: { nodes[$0].nodeID < nodes[$1].nodeID })
                where missing > 0 {
                    weights[index] += 1
                    missing -= 1
                }
            }
            open = open.filter { weights[$0] < limits[$0] }
        }
    }
}

extension Planner {
    /// The plan that shifts the load of an active/active cluster to where it can be borne.
    /// - Throws: ``PlanRefusal`` naming the first rule that forbids it: quorum, somebody to take
    ///   the load, healthy nodes, capacity.
    static func rebalance(
        cluster: Cluster, policy: FailoverPolicy, request: PlanRequest,
        estimates: ActionEstimates, digest: ContentDigest
    ) throws(PlanRefusal) -> Plan {
        guard cluster.topology == .activeActive else {
            throw PlanRefusal(
                rule: .noEligibleTarget,
                evidence: "cluster \(cluster.clusterID) is active_passive: it has no weights")
        }
        if policy.needsQuorum { try checkQuorum(cluster, request) }
        let active = cluster.activeNodes
        let well = active.count { $0.status == .healthy && !$0.inMaintenance }
        guard well > 0 else {
            throw PlanRefusal(
                rule: .noEligibleTarget,
                evidence: active.map { "\($0.nodeID) is \($0.status.rawValue)" }
                    .joined(separator: ", "))
        }
        guard well >= policy.minHealthyNodes else {
            throw PlanRefusal(
                rule: .minHealthyNodes,
                evidence: "\(well) active nodes are healthy, "
                    + "min_healthy_nodes is \(policy.minHealthyNodes)")
        }
        let current = request.weights ?? [:]
        let result = WeightPlanner(cluster: cluster, policy: policy)
            .divide(current: current, mayReturn: request.mayReturn)
        if result.shedPermille > 0, policy.weighting.onCapacityExceeded == .hold {
            throw PlanRefusal(
                rule: .capacityExceeded,
                evidence: "\(result.shedPermille) ‰ of the load is more than the nodes that are "
                    + "left can bear, on_capacity_exceeded is hold")
        }
        let ends = ends(active, current, result)
        let steps: [(ActionType, NodeID)] = [
            (.dnsFlip, ends.to), (.notify, ends.to), (.verify, ends.to),
        ]
        return Plan(
            clusterID: cluster.clusterID, policyID: policy.policyID, kind: .rebalance,
            triggerReason: request.triggerReason, primaryNodeID: ends.from,
            failoverTargetID: ends.to,
            actions: steps.map { action, node in
                PlannedAction(
                    action: action, nodeID: node, estimatedMs: estimates[action],
                    hooks: policy.hookNames(at: action))
            },
            maxFailoverTimeMs: policy.maxFailoverTimeS *| 1000, weights: result.weights,
            shedPermille: result.shedPermille, digest: digest)
    }

    /// Who loses most and who gains most, ties by the lower id: what the plan calls its ends.
    private static func ends(
        _ active: [Node], _ current: [NodeID: Int64], _ result: WeightPlanner.Result
    ) -> (from: NodeID, to: NodeID) {
        let before = Dictionary(
            active.map { ($0.nodeID, current[$0.nodeID] ?? $0.weight) }, uniquingKeysWith: { $1 })
        let changes = result.weights
            .map { (node: $0.nodeID, change: $0.weight - (before[$0.nodeID] ?? 0)) }
            .sorted { ($0.change, $0.node) < ($1.change, $1.node) }
        let most = changes.last?.change ?? 0
        return (
            changes.first?.node ?? "", changes.first { $0.change == most }?.node ?? ""
        )
    }
}
