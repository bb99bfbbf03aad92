/// Leases that an earlier policy may have granted have been waited out.
package struct FormerLeasesEnded: Codable, Hashable, Sendable {
    /// The longest of them, in milliseconds.
    package var leaseMs: Int64

    package init(leaseMs: Int64) { self.leaseMs = leaseMs }

    private enum CodingKeys: String, CodingKey { case leaseMs = "lease_ms" }
}

/// The service of a node that is not heard answered after the node's lease had ended, so nothing
/// there fences it: the end of its lease proves nothing. Or it is heard again.
package struct LeaseOutlived: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var isOutlived: Bool
    /// Which voter reached it.
    package var seenBy: NodeID?

    package init(nodeID: NodeID, isOutlived: Bool, seenBy: NodeID? = nil) {
        self.nodeID = nodeID
        self.isOutlived = isOutlived
        self.seenBy = seenBy
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case isOutlived = "outlived"
        case seenBy = "seen_by"
    }
}

/// The primary asks by the newest rule for promises, and by no earlier one any more.
package struct PromiseRuleKnown: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    /// ``PromiseRule/id``.
    package var rule: String

    package init(nodeID: NodeID, rule: String) {
        self.nodeID = nodeID
        self.rule = rule
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case rule
    }
}

/// A node that acted without a lease, as one of an active/active cluster, obeys leases again.
package struct LeaseObeyed: Codable, Hashable, Sendable {
    package var nodeID: NodeID

    package init(nodeID: NodeID) { self.nodeID = nodeID }

    private enum CodingKeys: String, CodingKey { case nodeID = "node_id" }
}
