/// Tells people when a cluster loses its protection, bit by bit or at once, and when it has it again.
extension Orchestrator {
    /// To be called when a cluster's state has changed, with the state before.
    mutating func tellHealth(
        _ id: ClusterID, from before: ClusterHealth, evidence: String, _ now: Moment
    ) {
        guard let cluster = state.clusters[id], !cluster.isQuiet else { return }
        let health = cluster.health
        let wasWell = before == .healthy || before == .unknown
        // The first look at a cluster that is well is no news.
        guard health != .unknown, !(wasWell && health == .healthy) else { return }
        let lost = lost(in: cluster)
        observations[id]?.toldLost = lost
        let what =
            switch health {
            case .critical: "has no quorum: nothing can be moved"
            case .degraded: "is not fully protected"
            default: "is well again"
            }
        queueAlert(
            type: "continuity.cluster.\(health.rawValue.lowercased())",
            severity: health == .critical ? .critical : health == .degraded ? .warning : .info,
            cluster: id, subject: id.rawValue,
            summary: "\(id) \(what): \(evidence)\(noTarget(in: cluster))",
            data: [
                "from": .string(before.rawValue), "to": .string(health.rawValue),
                "evidence": .string(evidence),
            ], discriminator: String(state.head.seq), now)
    }

    /// A further node that is lost while the cluster's state stays the same.
    mutating func tellLostNodes(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], cluster.health != .unknown else { return }
        let lost = lost(in: cluster)
        // What was so before this process began was told then.
        let told = observations[id]?.toldLost ?? lost
        observations[id]?.toldLost = lost
        guard !cluster.isQuiet else { return }
        for node in lost.subtracting(told).sorted() {
            queueAlert(
                type: "continuity.node.lost", severity: .warning, cluster: id,
                subject: node.rawValue,
                summary: "\(node) of \(id) is \(cluster.status(of: node).rawValue): "
                    + "\(cluster.evidence[node] ?? "")\(noTarget(in: cluster))",
                data: ["node_id": .string(node.rawValue)],
                discriminator: String(state.head.seq), now)
        }
    }

    /// What a service that runs says of itself, where somebody should look at it.
    mutating func tellRemarks(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        for node in cluster.cluster.nodes.map(\.nodeID)
        where isHeard(node, in: id, now) && cluster.maintenance(of: node) == nil {
            let news = observations[id]?.nodes[node]?.remark.news(
                lastingMs: cluster.policy.detection.silenceMs, atMs: now.monotonicMs)
            guard let news else { continue }
            let (type, severity, text): (String, Alert.Severity, String) =
                switch news {
                case .begun(let text): ("remark", .warning, text)
                case .ended: ("remark_ended", .info, "nothing more to remark")
                }
            queueAlert(
                type: "continuity.node.\(type)", severity: severity, cluster: id,
                subject: node.rawValue, summary: "\(node) of \(id): \(text)",
                data: ["node_id": .string(node.rawValue), "detail": .string(text)],
                discriminator: String(state.head.seq), now)
        }
    }

    private func lost(in cluster: ClusterState) -> Set<NodeID> {
        Set(
            cluster.cluster.nodes.map(\.nodeID).filter {
                [.failed, .unknown].contains(cluster.status(of: $0))
                    && cluster.nodeMaintenance[$0] == nil
            })
    }

    /// Empty: somebody could take over, or nobody needs to.
    private func noTarget(in cluster: ClusterState) -> String {
        guard cluster.cluster.topology == .activePassive else { return "" }
        let hasTarget = cluster.cluster.nodes.contains {
            $0.holdsData && $0.nodeID != cluster.primary && $0.capacity > 0
                && cluster.status(of: $0.nodeID) == .healthy
        }
        return hasTarget ? "" : "; no node could take over from \(cluster.primary)"
    }
}

/// Bounds what a node that changes its mind with each report writes into the journal.
extension Observation {
    private static let changesMax = 12
    private static let windowMs: Int64 = 60_000

    mutating func noteStatusChange(atMs now: Int64) {
        statusChangesAtMs = (statusChangesAtMs + [now]).suffix(Self.changesMax)
    }

    /// Whether the status changed too often lately to become better again. That it becomes worse
    /// is always taken, so the entries end when it is at its worst.
    func isFlapping(atMs now: Int64) -> Bool {
        statusChangesAtMs.count == Self.changesMax
            && (statusChangesAtMs.first.map { now -| $0 < Self.windowMs } ?? false)
    }
}

extension NodeStatus {
    /// From well to lost.
    var severity: Int {
        switch self {
        case .healthy: 0
        case .degraded: 1
        case .unknown: 2
        case .failed: 3
        }
    }
}
