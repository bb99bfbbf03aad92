/// Why a node cannot be the target.
package struct Ineligibility: Hashable, Sendable {
    package let nodeID: NodeID
    package let reason: String
}

/// Chooses the node to promote: eligible ones only, then lexicographically by the scores of the
/// policies in the order of their bindings, region order, site order, priority, capacity, least
/// lag and node id. Never a weighted sum, so that the choice can
/// be explained by the first difference.
package struct TargetSelection: Sendable {
    private let regionOrder: [String]
    private let siteOrder: [String]
    var maximumLagMs: Int64
    private let scores: [TargetScores]
    var excluded: Set<NodeID> = []

    package init(policy: FailoverPolicy, scores: [TargetScores] = []) {
        self.scores = scores
        regionOrder = policy.regionPriority
        siteOrder = policy.sitePriority
        maximumLagMs = policy.rpoS *| 1000
    }

    /// The best eligible node other than the primary. One pass, no allocation per node.
    package func best(of cluster: Cluster) -> NodeID? {
        cluster.nodes.withUnsafeBufferPointer { nodes in
            var best: (index: Int, rank: Rank)?
            for index in nodes.indices where ineligibility(of: nodes[index]) == nil {
                let rank = rank(nodes[index])
                guard let current = best else {
                    best = (index, rank)
                    continue
                }
                let byFailure = compareFailures(nodes[index], nodes[current.index])
                if byFailure != 0 {
                    if byFailure < 0 { best = (index, rank) }
                    continue
                }
                let byScore = compareScores(nodes[index].nodeID, nodes[current.index].nodeID)
                let order = byScore != 0 ? byScore : rank.compare(current.rank)
                if order < 0
                    || (order == 0 && nodes[index].nodeID < nodes[current.index].nodeID)
                {
                    best = (index, rank)
                }
            }
            return best.map { nodes[$0.index].nodeID }
        }
    }

    /// One that could not be promoted lately comes after all others, whatever speaks for it.
    private func compareFailures(_ node: borrowing Node, _ other: borrowing Node) -> Int {
        switch (node.targetFailure == nil, other.targetFailure == nil) {
        case (true, false): -1
        case (false, true): 1
        default: 0
        }
    }

    /// The nodes that would come before the target, had they not failed as one lately.
    static func passedOver(_ cluster: Cluster, for target: NodeID) -> [PassedOver] {
        guard cluster.node(target)?.targetFailure == nil else { return [] }
        return cluster.nodes.compactMap { node in
            node.nodeID == target
                ? nil : node.targetFailure.map { PassedOver(nodeID: node.nodeID, reason: $0) }
        }
    }

    /// Negative when `node` is preferred: by the first policy that tells the two apart.
    private func compareScores(_ node: NodeID, _ other: NodeID) -> Int {
        for policy in scores {
            let own = policy.scores[node.rawValue] ?? .min
            let others = policy.scores[other.rawValue] ?? .min
            if own != others { return own > others ? -1 : 1 }
        }
        return 0
    }

    /// Every node other than the primary that cannot be the target, in the cluster's order.
    package func ineligible(in cluster: Cluster) -> [Ineligibility] {
        cluster.nodes.compactMap { node in
            guard node.role != .primary, let reason = ineligibility(of: node) else { return nil }
            return Ineligibility(nodeID: node.nodeID, reason: describe(reason, node))
        }
    }

    package func reasonAgainst(_ node: Node) -> String? {
        ineligibility(of: node).map { describe($0, node) }
    }

    private enum Reason { case primary, witness, maintenance, status, capacity, lag, excluded }

    private func ineligibility(of node: borrowing Node) -> Reason? {
        switch node.role {
        case .primary: return .primary
        case .witness: return .witness
        case .secondary: break
        }
        if excluded.contains(node.nodeID) { return .excluded }
        if node.inMaintenance { return .maintenance }
        if node.status != .healthy { return .status }
        if node.capacity <= 0 { return .capacity }
        if let lag = node.lagMs, lag > maximumLagMs { return .lag }
        return nil
    }

    private func describe(_ reason: Reason, _ node: Node) -> String {
        switch reason {
        case .primary: "is the primary"
        case .witness: "is a witness and holds no data"
        case .maintenance: "is in maintenance"
        case .status: "is \(node.status.rawValue)"
        case .capacity: "has capacity 0"
        case .excluded: "could not be promoted by this run"
        case .lag: "lags \(node.lagMs ?? 0) ms, more than rpo_s allows (\(maximumLagMs) ms)"
        }
    }

    private struct Rank {
        var region: Int
        var site: Int
        var priority: Int64
        var capacity: Int64
        var lagMs: Int64

        /// Negative when `self` is preferred.
        func compare(_ other: Rank) -> Int {
            if region != other.region { return region < other.region ? -1 : 1 }
            if site != other.site { return site < other.site ? -1 : 1 }
            if priority != other.priority { return priority > other.priority ? -1 : 1 }
            if capacity != other.capacity { return capacity > other.capacity ? -1 : 1 }
            if lagMs != other.lagMs { return lagMs < other.lagMs ? -1 : 1 }
            return 0
        }
    }

    private func rank(_ node: borrowing Node) -> Rank {
        Rank(
            region: regionOrder.firstIndex(of: node.region) ?? regionOrder.count,
            site: siteOrder.firstIndex(of: node.site) ?? siteOrder.count,
            priority: node.priority, capacity: node.capacity,
            // A node whose lag nobody knows comes after those whose lag is known.
            lagMs: node.lagMs ?? Int64.max)
    }
}
