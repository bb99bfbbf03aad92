package enum NodeRole: String, Codable, Hashable, Sendable, CaseIterable {
    case primary
    case secondary
    /// Votes, holds no data, is never a target.
    case witness
}

package enum NodeStatus: String, Codable, Hashable, Sendable, CaseIterable {
    case healthy, degraded, failed, unknown
}

/// One member of a cluster.
package struct Node: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var hostname: String
    package var role: NodeRole
    package var region: String
    package var site: String
    package var status: NodeStatus
    /// 0 to 1000; the higher is preferred.
    package var priority: Int64
    /// 0 to 100; 0 is never a target.
    package var capacity: Int64
    /// Share of the traffic in an active/active cluster.
    package var weight: Int64
    /// How far the node's data is behind the primary's, in milliseconds; `nil` when unknown.
    package var lagMs: Int64?
    /// Base URL of the node's agent; needed by `serve`, not by planning.
    package var agentURL: String?
    /// `host:port` of the node's service; needed by `serve`, not by planning.
    package var serviceAddress: String?
    package var metadata: [String: String]
    /// Set for the planner alone; the journal says it of the cluster.
    package var inMaintenance = false
    /// Likewise: why it could not become primary lately. It comes after all others.
    package var targetFailure: String?

    package init(
        nodeID: NodeID, hostname: String = "", role: NodeRole, region: String = "",
        site: String = "", status: NodeStatus = .healthy, priority: Int64 = 100,
        capacity: Int64 = 100, weight: Int64 = 100, lagMs: Int64? = nil,
        agentURL: String? = nil, serviceAddress: String? = nil,
        metadata: [String: String] = [:]
    ) {
        self.nodeID = nodeID
        self.hostname = hostname
        self.role = role
        self.region = region
        self.site = site
        self.status = status
        self.priority = priority
        self.capacity = capacity
        self.weight = weight
        self.lagMs = lagMs
        self.agentURL = agentURL
        self.serviceAddress = serviceAddress
        self.metadata = metadata
    }

    package var holdsData: Bool { role != .witness }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case hostname, role, region, site, status, priority, capacity, weight
        case lagMs = "lag_ms"
        case agentURL = "agent_url"
        case serviceAddress = "service_address"
        case metadata
    }
}
