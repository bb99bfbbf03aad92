/// What an agent tells the orchestrator: its heartbeat.
package struct NodeReport: Codable, Hashable, Sendable {
    package var clusterID: ClusterID
    package var nodeID: NodeID
    /// Drawn anew by each agent process, so that a restart is told from a late message.
    package var bootID: String
    /// Grows by one with each report of one boot.
    package var sequence: Int64
    /// The highest epoch that this agent has accepted an order from.
    package var highestEpoch: Int64
    package var service: ServiceReport
    /// What this agent sees of the other nodes, by node id.
    package var peers: [NodeID: PeerView]
    /// What the agent's clock showed when it sent this, in milliseconds since its machine started.
    package var clockMs: Int64?
    /// What it keeps of the journal's checkpoints; `nil` before the first.
    package var witness: WitnessState?

    package init(
        clusterID: ClusterID, nodeID: NodeID, bootID: String, sequence: Int64,
        highestEpoch: Int64, service: ServiceReport, peers: [NodeID: PeerView],
        clockMs: Int64? = nil, witness: WitnessState? = nil
    ) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.bootID = bootID
        self.sequence = sequence
        self.highestEpoch = highestEpoch
        self.service = service
        self.peers = peers
        self.clockMs = clockMs
        self.witness = witness
    }

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case nodeID = "node_id"
        case bootID = "boot_id"
        case sequence
        case highestEpoch = "highest_epoch"
        case service, peers, witness
        case clockMs = "clock_ms"
    }
}

/// The local service as its agent's probes see it.
package struct ServiceReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Hashable, Sendable {
        /// The process lives and the probes succeed.
        case running
        /// The process is gone, and nothing of it is left that could accept a write.
        case stopped
        /// The process lives but a probe fails or gives no answer.
        case failing
        /// Not probed yet.
        case unknown
    }

    package enum Role: String, Codable, Hashable, Sendable {
        case primary, secondary, unknown
    }

    package var state: State
    package var role: Role
    /// Where this node's copy of the data ends, in the service's own unit of progress, growing
    /// monotonically along one history (for PostgreSQL: the WAL position in bytes).
    package var positionBytes: Int64?
    /// How far the copy is behind its source, in milliseconds, as the service itself reports it.
    package var lagMs: Int64?
    /// Whether the node receives changes from another node at the moment.
    package var streaming: Bool
    /// Why the state is what it is, for people. Empty when all is well.
    package var detail: String

    package init(
        state: State, role: Role, positionBytes: Int64? = nil, lagMs: Int64? = nil,
        streaming: Bool = false, detail: String = ""
    ) {
        self.state = state
        self.role = role
        self.positionBytes = positionBytes
        self.lagMs = lagMs
        self.streaming = streaming
        self.detail = detail
    }

    private enum CodingKeys: String, CodingKey {
        case state, role
        case positionBytes = "position_bytes"
        case lagMs = "lag_ms"
        case streaming, detail
    }
}

/// What one agent sees of another node.
package enum PeerView: String, Codable, Hashable, Sendable {
    /// The peer's agent answers.
    case reachable
    /// The peer's agent does not answer, its service does: it may still accept writes.
    case serviceOnly = "service_only"
    /// Neither the agent nor the service answers.
    case unreachable
}

/// The orchestrator's answer to a report.
package struct ReportReply: Codable, Hashable, Sendable {
    /// The epoch of the leadership that answers; an agent ignores an answer from a lower one.
    package var epoch: Int64
    /// How soon the next report is expected.
    package var intervalMs: Int64
    /// The jitter to apply to the interval, in thousandths (100 is ±10 %).
    package var jitterPermille: Int64
    /// Granted to the node that may be primary: valid this long, counted from the moment at which
    /// the agent *sent* the report. `nil`: no lease is granted with this answer.
    package var leaseMs: Int64?
    /// Whether no run counts on it any more that this agent denies another node its promise: what
    /// it denied before it sent the report, it may promise again.
    package var endsDenials: Bool?
    /// The other nodes of the cluster, so that the agent can form its view of them.
    package var peers: [PeerAddress]
    /// The journal's newest checkpoint, for the agent to keep.
    package var checkpoint: Checkpoint?

    package init(
        epoch: Int64, intervalMs: Int64, jitterPermille: Int64, leaseMs: Int64?,
        endsDenials: Bool? = nil, peers: [PeerAddress], checkpoint: Checkpoint? = nil
    ) {
        self.epoch = epoch
        self.intervalMs = intervalMs
        self.jitterPermille = jitterPermille
        self.leaseMs = leaseMs
        self.endsDenials = endsDenials
        self.peers = peers
        self.checkpoint = checkpoint
    }

    private enum CodingKeys: String, CodingKey {
        case epoch
        case intervalMs = "interval_ms"
        case jitterPermille = "jitter_permille"
        case leaseMs = "lease_ms"
        case endsDenials = "ends_denials"
        case peers, checkpoint
    }
}

package struct PeerAddress: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    /// Base URL of the peer's agent, for example `http://127.0.0.1:7101`.
    package var agentURL: String
    /// `host:port` of the peer's service.
    package var serviceAddress: String
    /// What the service is asked when the agent does not answer; a newer orchestrator may know
    /// more probes than this agent: then ``ServiceProbe/tcp``, which rather finds it alive.
    package var probe: ServiceProbe { serviceProbe.flatMap(ServiceProbe.init) ?? .tcp }
    private var serviceProbe: String?

    package init(
        nodeID: NodeID, agentURL: String, serviceAddress: String, probe: ServiceProbe? = nil
    ) {
        self.nodeID = nodeID
        self.agentURL = agentURL
        self.serviceAddress = serviceAddress
        serviceProbe = probe?.rawValue
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case agentURL = "agent_url"
        case serviceAddress = "service_address"
        case serviceProbe = "service_probe"
    }
}
