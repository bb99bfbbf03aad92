package struct NodeStatusChanged: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var from: NodeStatus
    package var to: NodeStatus
    package var evidence: String

    package init(nodeID: NodeID, from: NodeStatus, to: NodeStatus, evidence: String) {
        self.nodeID = nodeID
        self.from = from
        self.to = to
        self.evidence = evidence
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case from
        case to
        case evidence
    }
}

package struct ClusterStateChanged: Codable, Hashable, Sendable {
    package var from: ClusterHealth
    package var to: ClusterHealth
    package var evidence: String

    package init(from: ClusterHealth, to: ClusterHealth, evidence: String) {
        self.from = from
        self.to = to
        self.evidence = evidence
    }
}

/// A hold begins, changes or, with `hold` absent, ends.
package struct HoldChanged: Codable, Hashable, Sendable {
    package var hold: Hold?

    package init(hold: Hold? = nil) {
        self.hold = hold
    }
}
