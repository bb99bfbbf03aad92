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
    /// Whom it obeys in that epoch; `nil` before it has heard.
    package var instanceID: String?
    package var service: ServiceReport
    /// What this agent sees of the other nodes, by node id.
    package var peers: [NodeID: PeerView]
    /// What the agent's clock showed when it sent this, in milliseconds since its machine started.
    package var clockMs: Int64?
    /// What it keeps of the journal's checkpoints; `nil` before the first.
    package var witness: WitnessState?
    /// ``PromiseRule/id`` of the rule that its next request for promises follows.
    package var promiseRule: String?
    /// Whether it was told that its role excludes nobody, and acts without a lease.
    package var isUnleased: Bool?
    /// The agent's program: number and commit. `nil`: it is older than this member.
    package var version: String?
    /// The order under way whose work is as long as the data is; `nil`: none, or an older agent.
    package var work: NodeWork?

    package init(
        clusterID: ClusterID, nodeID: NodeID, bootID: String, sequence: Int64,
        highestEpoch: Int64, instanceID: String? = nil, service: ServiceReport,
        peers: [NodeID: PeerView], clockMs: Int64? = nil, witness: WitnessState? = nil,
        promiseRule: String? = nil, isUnleased: Bool? = nil, version: String? = nil,
        work: NodeWork? = nil
    ) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.bootID = bootID
        self.sequence = sequence
        self.highestEpoch = highestEpoch
        self.instanceID = instanceID
        self.service = service
        self.peers = peers
        self.clockMs = clockMs
        self.witness = witness
        self.promiseRule = promiseRule
        self.isUnleased = isUnleased
        self.version = version
        self.work = work
    }

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case nodeID = "node_id"
        case bootID = "boot_id"
        case sequence
        case highestEpoch = "highest_epoch"
        case instanceID = "instance_id"
        case service, peers, witness
        case clockMs = "clock_ms"
        case promiseRule = "promise_rule"
        case isUnleased = "unleased"
        case version
        case work
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
    /// With `stopped`: whether the node's own agent or guard stopped it, because its lease had
    /// ended, and no order has started it since.
    package var isFenced: Bool?
    /// With a primary: whether it acknowledges a write only once another node holds it; `nil` when
    /// the status program does not say.
    package var isSynchronous: Bool?

    package init(
        state: State, role: Role, positionBytes: Int64? = nil, lagMs: Int64? = nil,
        streaming: Bool = false, detail: String = "", isFenced: Bool? = nil,
        isSynchronous: Bool? = nil
    ) {
        self.state = state
        self.role = role
        self.positionBytes = positionBytes
        self.lagMs = lagMs
        self.streaming = streaming
        self.detail = detail
        self.isFenced = isFenced
        self.isSynchronous = isSynchronous
    }

    private enum CodingKeys: String, CodingKey {
        case state, role
        case positionBytes = "position_bytes"
        case lagMs = "lag_ms"
        case streaming, detail
        case isFenced = "fenced"
        case isSynchronous = "synchronous"
    }
}

/// What one agent sees of another node.
package enum PeerView: String, Codable, Hashable, Sendable {
    /// The peer's agent answers.
    case reachable
    /// The peer's agent does not answer, its service does: it may still accept writes.
    case serviceOnly = "service_only"
    /// The peer's agent answers and says that the service is stopped.
    case serviceStopped = "service_stopped"
    /// Neither the agent nor the service answers.
    case unreachable
}

/// Whose promises let a primary go on without an orchestrator: `needed` of the others among
/// `voters`. A promotion needs the denials of as many voters as make sure that the two sets have
/// a node in common: ``denialsNeeded``.
package struct PromiseRule: Codable, Hashable, Sendable {
    /// Sorted; the primary itself among them.
    package var voters: [NodeID]
    /// How many voters other than the primary must promise.
    package var needed: Int

    package init(voters: some Sequence<NodeID>, needed: Int) {
        self.voters = voters.sorted()
        self.needed = needed
    }

    /// Every two of the smallest sets of promises and of denials have a voter in common: `needed`
    /// and this are more than the others that there are.
    package var denialsNeeded: Int { voters.count - needed }

    /// Names the rule in reports.
    package var id: String { "\(needed)/" + voters.map(\.rawValue).joined(separator: ",") }
}

/// The orchestrator's answer to a report.
package struct ReportReply: Codable, Hashable, Sendable {
    /// The epoch of the leadership that answers; an agent ignores an answer from a lower one.
    package var epoch: Int64
    /// Which process has the lead in that epoch: an agent ignores a second one.
    package var instanceID: String?
    /// What the orchestrator's clock showed when it answered, in milliseconds: when it has gone on
    /// by more than the agent's since the last answer, the agent's machine stood still meanwhile.
    package var clockMs: Int64?
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
    /// Whose promises are needed where no orchestrator answers; `nil`: those of every peer.
    package var promiseRule: PromiseRule?
    /// The node's role excludes nobody (active/active): it needs no lease, and nothing is fenced
    /// when none is renewed.
    package var isUnleased: Bool?
    /// The longest promise that the node may give, as long as a lease and its margin; `nil`: it is
    /// not told, and ten minutes are the most.
    package var promiseLimitMs: Int64?

    package init(
        epoch: Int64, instanceID: String? = nil, clockMs: Int64? = nil, intervalMs: Int64,
        jitterPermille: Int64, leaseMs: Int64?, endsDenials: Bool? = nil, peers: [PeerAddress],
        checkpoint: Checkpoint? = nil, promiseRule: PromiseRule? = nil, isUnleased: Bool? = nil,
        promiseLimitMs: Int64? = nil
    ) {
        self.promiseLimitMs = promiseLimitMs
        self.instanceID = instanceID
        self.clockMs = clockMs
        self.promiseRule = promiseRule
        self.isUnleased = isUnleased
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
        case instanceID = "instance_id"
        case clockMs = "clock_ms"
        case promiseRule = "promise_rule"
        case isUnleased = "unleased"
        case promiseLimitMs = "promise_limit_ms"
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
    /// Whether the peer is the primary, or one of them; `nil`: it is not told. A node promises
    /// nothing to a secondary.
    package var isPrimary: Bool?
    /// What the service is asked when the agent does not answer; a newer orchestrator may know
    /// more probes than this agent: then ``ServiceProbe/tcp``, which rather finds it alive.
    package var probe: ServiceProbe { serviceProbe.flatMap(ServiceProbe.init) ?? .tcp }
    private var serviceProbe: String?

    package init(
        nodeID: NodeID, agentURL: String, serviceAddress: String, probe: ServiceProbe? = nil,
        isPrimary: Bool? = nil
    ) {
        self.isPrimary = isPrimary
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
        case isPrimary = "is_primary"
    }
}
