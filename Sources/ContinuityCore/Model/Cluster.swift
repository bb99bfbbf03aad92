package enum Topology: String, Codable, Hashable, Sendable, CaseIterable {
    case activePassive = "active_passive"
    case activeActive = "active_active"
}

/// How peers find out whether a node's service still answers when its agent does not.
package enum ServiceProbe: String, Codable, Hashable, Sendable, CaseIterable {
    /// A TCP connection. The kernel makes it for a process that is stopped, too.
    case tcp
    /// The first question of PostgreSQL's protocol, which the server process itself answers.
    case postgresql
    /// `GET /`, answered with any status.
    case http
}

/// The nodes that together offer one service.
package struct Cluster: Codable, Hashable, Sendable {
    package var clusterID: ClusterID
    package var name: String
    package var topology: Topology
    /// How many voters must agree. At least a majority.
    package var quorumSize: Int
    package var regions: [String]
    package var nodes: [Node]
    package var metadata: [String: String]
    /// `nil`: ``ServiceProbe/tcp``.
    package var serviceProbe: ServiceProbe?

    package init(
        clusterID: ClusterID, name: String = "", topology: Topology = .activePassive,
        quorumSize: Int? = nil, regions: [String] = [], nodes: [Node],
        metadata: [String: String] = [:], serviceProbe: ServiceProbe? = nil
    ) {
        self.clusterID = clusterID
        self.name = name
        self.topology = topology
        self.quorumSize = quorumSize ?? Self.majority(of: nodes.count)
        self.regions = regions
        self.nodes = nodes
        self.metadata = metadata
        self.serviceProbe = serviceProbe
    }

    /// Every node votes, a witness too.
    package static func majority(of voters: Int) -> Int { voters / 2 + 1 }

    package var primary: Node? { nodes.first { $0.role == .primary } }

    package func node(_ id: NodeID) -> Node? { nodes.first { $0.nodeID == id } }

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case name, topology
        case quorumSize = "quorum_size"
        case regions, nodes, metadata
        case serviceProbe = "service_probe"
    }
}

/// A contradiction within a cluster's description.
package struct ClusterProblem: Error, Equatable, Sendable {
    /// The index in `nodes` of the node that it shows at; `nil` when it concerns the whole.
    package let nodeIndex: Int?
    /// The field that it shows at.
    package let field: String
    package let message: String
    package let remedy: String
}

extension Cluster {
    /// The first contradiction, or `nil` when the description is sound.
    package func firstProblem(needsPrimary: Bool = true) -> ClusterProblem? {
        if nodes.isEmpty {
            return ClusterProblem(
                nodeIndex: nil, field: "nodes", message: "the cluster has no nodes",
                remedy: "list at least one under 'nodes'")
        }
        return duplicateNode() ?? roleProblem(needsPrimary) ?? quorumProblem() ?? regionProblem()
    }

    private func duplicateNode() -> ClusterProblem? {
        var seen: Set<NodeID> = []
        for (index, node) in nodes.enumerated() where !seen.insert(node.nodeID).inserted {
            return ClusterProblem(
                nodeIndex: index, field: "node_id",
                message: "the node id '\(node.nodeID)' stands more than once",
                remedy: "give each node an id of its own")
        }
        return nil
    }

    private func roleProblem(_ needsPrimary: Bool) -> ClusterProblem? {
        if topology == .activeActive { return weightProblem() }
        let primaries = nodes.indices.filter { nodes[$0].role == .primary }
        if primaries.isEmpty, needsPrimary {
            return ClusterProblem(
                nodeIndex: nil, field: "nodes", message: "no node is the primary",
                remedy: "give one node 'role: primary'")
        }
        guard primaries.count > 1 else { return nil }
        return ClusterProblem(
            nodeIndex: primaries[1], field: "role",
            message: "'\(nodes[primaries[1]].nodeID)' is a second primary beside "
                + "'\(nodes[primaries[0]].nodeID)'",
            remedy: "an active_passive cluster has one; make the other 'role: secondary'")
    }

    private func weightProblem() -> ClusterProblem? {
        guard totalWeight > 0 else {
            return ClusterProblem(
                nodeIndex: nil, field: "nodes", message: "no node is active",
                remedy: "give the nodes that serve 'role: primary' and a 'weight' above 0")
        }
        let index = nodes.indices.first {
            nodes[$0].role == .primary && nodes[$0].weight > weightMax(of: nodes[$0])
        }
        guard let index else { return nil }
        return ClusterProblem(
            nodeIndex: index, field: "capacity",
            message: "'\(nodes[index].nodeID)' has weight \(nodes[index].weight) of "
                + "\(totalWeight), more than its capacity of \(nodes[index].capacity) % allows",
            remedy: "raise its capacity (its share of the whole load), or lower its weight")
    }

    private func quorumProblem() -> ClusterProblem? {
        let majority = Self.majority(of: nodes.count)
        guard quorumSize < majority || quorumSize > nodes.count else { return nil }
        let relation = quorumSize < majority ? "below the majority" : "above the number of nodes"
        return ClusterProblem(
            nodeIndex: nil, field: "quorum_size",
            message: "quorum_size \(quorumSize) is \(relation) of \(nodes.count) nodes",
            remedy: "write \(majority) to \(nodes.count), or leave it out")
    }

    private func regionProblem() -> ClusterProblem? {
        guard !regions.isEmpty else { return nil }
        guard let index = nodes.firstIndex(where: { !regions.contains($0.region) }) else {
            return nil
        }
        return ClusterProblem(
            nodeIndex: index, field: "region",
            message: "'\(nodes[index].nodeID)' is in region '\(nodes[index].region)', which is "
                + "not among 'regions'",
            remedy: "correct the region, or add it to 'regions'")
    }
}
