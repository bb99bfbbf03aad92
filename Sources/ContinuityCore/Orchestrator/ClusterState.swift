package enum ClusterHealth: String, Codable, Hashable, Sendable {
    /// Quorum, and every node is well.
    case healthy = "HEALTHY"
    /// Quorum, but something is not well.
    case degraded = "DEGRADED"
    /// No quorum: no failover, reads only.
    case critical = "CRITICAL"
    case unknown = "UNKNOWN"
}

/// What the journal says about one cluster.
package struct ClusterState: Hashable, Sendable {
    package var cluster: Cluster
    /// The files do not name it any more.
    package private(set) var isReleased = false
    package var policy: FailoverPolicy
    /// The node that may be primary.
    package var primary: NodeID
    /// Grows with each change of the primary.
    package var term: Int64 = 1
    package var statuses: [NodeID: NodeStatus] = [:]
    /// Why each node's status is what it is.
    package var evidence: [NodeID: String] = [:]
    package var health: ClusterHealth = .unknown
    package var healthEvidence = ""
    /// Whether the primary was ever seen healthy. A cluster that never ran is not failed over.
    package var wasHealthy = false
    package var hold: Hold?
    package var run: RunState?
    /// A slot of its own: the run's stays free for the real thing.
    package var drill: DrillState?
    package var lastDrill: DrillReport?
    package var lastRun: RunSummary?
    /// Which node each secondary was last brought to follow.
    package var following: [NodeID: NodeID] = [:]
    /// A node that was ordered to become primary, and nobody knows what came of it. Until that is
    /// known, no other node may become primary.
    package var inDoubt: NodeID?
    /// The nodes whose data is known to be the beginning of the primary's and that were brought to
    /// take its changes since it became primary, wherever they are pointed to meanwhile: only they
    /// may become primary, or be caught up with.
    package var replicas: Set<NodeID> = []
    /// The nodes whose data is known to be the beginning of the primary's.
    var kin: Set<NodeID> = []
    /// The nodes that may have taken changes from the primary since it became primary: what they
    /// hold must be known before another node takes over.
    var mayHold: Set<NodeID> = []
    /// Where the primary's data ended when it became primary. What was acknowledged before then ends
    /// there at the latest: whoever has less lacks some of it, whatever it follows. `nil`: it was
    /// the primary from the start, or a run that ended in doubt made it one.
    package var termFloorBytes: Int64?
    /// The nodes that each node may be pointed to, by orders that were or may have been carried out.
    var possibleSources: [NodeID: Set<NodeID>] = [:]
    package var estimates = ActionEstimates()
    /// Effects outside the active run whose result is not known yet.
    package var upkeep: [OperationKey: Operation] = [:]
    /// What hooks have left undone, by their place in the policy.
    package var undoneHooks: [String: UndoneHook] = [:]
    /// When the service was started again where it was, UTC milliseconds; the last few.
    package var restartsAtMs: [Int64] = []
    package var failedRunsInRow: Int = 0
    /// Nodes that runs could not make primary, and why.
    package var targetFailures: [NodeID: TargetFailure] = [:]
    /// When automatic failovers of this cluster finished, UTC milliseconds; the last few.
    package var automaticMovesAtMs: [Int64] = []
    package var outages = OutageLog()
    /// Active/active: what each node was last given; a node that is not named has its own.
    package var weights: [NodeID: Int64] = [:]
    package var weightsShiftedAtMs: Int64?
    /// The longest lease that may have been granted under an earlier policy or topology and is not
    /// known to have ended, in milliseconds. It is waited out as it was granted, whatever the
    /// policy says now.
    package var formerLeaseMs: Int64?
    /// Whether the journal was restored and may lack a change of the primary.
    package var mayBeBehind = false
    /// Nodes that may act without any lease: they were told so while the cluster was
    /// active/active, and have not been heard to obey leases since.
    package var unleased: Set<NodeID> = []
    /// Nodes whose service answered after their lease had ended: nothing there fences it.
    package var outlivedLease: Set<NodeID> = []
    /// By whose promises the primary may live without an orchestrator: every rule that it may
    /// still follow, the newest last.
    package var promiseRules: [PromiseRule] = []
    package var scheduled: ScheduledMove?
    /// What keeps the arranged move, which is due, from beginning.
    package var scheduledHold: Hold?
    /// The approval in advance for the arranged move.
    package var scheduledApproval: PendingApproval?
    /// What became of the last arranged move.
    package var lastScheduled: ScheduleSummary?
    /// The last arranged move, for the entry that tells its end.
    var lastMove: ScheduledMove?
    package var pause: Suspension?
    /// A mistake of this program in a run of the cluster: it is left alone until it is resumed.
    package var quarantine: String?
    /// Of the cluster as a whole.
    package var maintenance: Suspension?
    package var nodeMaintenance: [NodeID: Suspension] = [:]
    package var approval: PendingApproval?
    package var reviews: [OpenReview] = []

    package struct TargetFailure: Hashable, Sendable {
        /// For how long it counts, in milliseconds.
        static let lastsMs: Int64 = 600_000
        package var atMs: Int64
        package var reason: String

        func isOver(atMs now: Int64) -> Bool { !(0..<Self.lastsMs).contains(now - atMs) }
    }

    mutating func release() { isReleased = true }

    init(_ body: ClusterConfigured) {
        cluster = body.cluster
        policy = body.policy
        primary = body.cluster.primary?.nodeID ?? ""
        for node in body.cluster.nodes where node.holdsData && node.nodeID != primary {
            following[node.nodeID] = primary
            replicas.insert(node.nodeID)
            possibleSources[node.nodeID] = [primary]
        }
        kin = replicas
        mayHold = replicas
        promiseRules = [promiseRule]
    }

    /// Takes a changed configuration, keeping what is known of the nodes that stay.
    mutating func configure(_ body: ClusterConfigured) {
        isReleased = false
        inheritLeases(from: body)
        let before = Set(cluster.nodes.filter(\.holdsData).map(\.nodeID))
        cluster = body.cluster
        policy = body.policy
        let ids = Set(cluster.nodes.map(\.nodeID))
        statuses = statuses.filter { ids.contains($0.key) }
        evidence = evidence.filter { ids.contains($0.key) }
        following = following.filter { ids.contains($0.key) }
        replicas = replicas.intersection(ids)
        weights = weights.filter { ids.contains($0.key) }
        nodeMaintenance = nodeMaintenance.filter { ids.contains($0.key) }
        kin = kin.intersection(ids)
        mayHold = mayHold.intersection(ids)
        if let floor = body.floorBytes { termFloorBytes = max(termFloorBytes ?? 0, floor) }
        possibleSources = possibleSources.filter { ids.contains($0.key) }
        if !ids.contains(primary) { primary = cluster.primary?.nodeID ?? "" }
        // One that is added may have taken the primary's changes before anybody named it here.
        let added = cluster.nodes.filter {
            $0.holdsData && $0.nodeID != primary && !before.contains($0.nodeID)
        }
        for node in added {
            mayHold.insert(node.nodeID)
            possibleSources[node.nodeID] = [primary]
        }
        if promiseRules.last != promiseRule { promiseRules.append(promiseRule) }
    }

    /// The role that a node has by the journal, whatever its file once said.
    package func role(of node: Node) -> NodeRole {
        if node.role == .witness || cluster.topology == .activeActive { return node.role }
        return node.nodeID == primary ? .primary : .secondary
    }

    /// Whether clients are sent to the node, or were before it was lost.
    func isActive(_ node: NodeID) -> Bool {
        cluster.topology == .activePassive
            ? node == primary : cluster.node(node)?.role == .primary
    }

    package func status(of node: NodeID) -> NodeStatus { statuses[node] ?? .unknown }
}
