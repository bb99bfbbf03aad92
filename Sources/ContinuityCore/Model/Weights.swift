/// How the load of an active/active cluster is shifted.
package struct WeightSettings: Codable, Hashable, Sendable {
    /// What is done when the nodes that are left cannot bear the whole load.
    package enum Overload: String, Codable, Hashable, Sendable, CaseIterable {
        /// They get what they can bear; the plan says how much that leaves unserved.
        case shed
        /// Nothing is shifted.
        case hold
    }

    /// What a node that returns gets back with each step, in thousandths of its own weight.
    package var returnStepPermille: Int64
    /// The least time between two steps.
    package var returnIntervalS: Int64
    package var onCapacityExceeded: Overload

    package init(
        returnStepPermille: Int64 = 250, returnIntervalS: Int64 = 60,
        onCapacityExceeded: Overload = .shed
    ) {
        self.returnStepPermille = returnStepPermille
        self.returnIntervalS = returnIntervalS
        self.onCapacityExceeded = onCapacityExceeded
    }

    private enum CodingKeys: String, CodingKey {
        case returnStepPermille = "return_step_permille"
        case returnIntervalS = "return_interval_s"
        case onCapacityExceeded = "on_capacity_exceeded"
    }
}

/// One node's share of the load.
package struct NodeWeight: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var weight: Int64

    package init(nodeID: NodeID, weight: Int64) {
        self.nodeID = nodeID
        self.weight = weight
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case weight
    }
}

extension FailoverPolicy {
    package var weighting: WeightSettings { weights ?? WeightSettings() }
}

extension Cluster {
    /// The nodes that share the load of an active/active cluster.
    package var activeNodes: [Node] { nodes.filter { $0.role == .primary } }

    /// The load as a whole, in units of weight.
    package var totalWeight: Int64 { activeNodes.reduce(0) { $0 + $1.weight } }

    /// The most that a node can bear: `capacity` is its share of the whole load, in hundredths.
    func weightMax(of node: Node) -> Int64 { totalWeight * node.capacity / 100 }
}

/// The load was shifted: the hooks of `dns_flip` have done their work.
package struct WeightsShifted: Codable, Hashable, Sendable {
    package var runID: RunID
    package var weights: [NodeWeight]
    package var shedPermille: Int64

    package init(runID: RunID, weights: [NodeWeight], shedPermille: Int64) {
        self.runID = runID
        self.weights = weights
        self.shedPermille = shedPermille
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case weights
        case shedPermille = "shed_permille"
    }
}
