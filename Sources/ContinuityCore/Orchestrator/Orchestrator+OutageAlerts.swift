/// Tells people when nobody can write, or when what is written has no copy.
extension Orchestrator {
    /// No state in which nobody can write is silent: where neither a run is under way nor a hold
    /// says why there is none, people are told that nobody is known to be primary.
    mutating func tellNoPrimary(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], let observed = observations[id],
            cluster.cluster.topology == .activePassive, cluster.wasHealthy
        else { return }
        let isServed = cluster.cluster.nodes.contains { node in
            let service = observed.nodes[node.nodeID]?.report?.service
            return isHeard(node.nodeID, in: id, now) && service?.state == .running
                && service?.role == .primary
        }
        let isTold = cluster.run != nil || cluster.hold != nil || cluster.isQuiet
        guard !isServed, !isTold, !isStillListening(id, now) else {
            observations[id]?.noPrimarySinceMs = nil
            guard isServed, observed.toldNoPrimary else { return }
            observations[id]?.toldNoPrimary = false
            return tellPrimary(id, isThere: true, now)
        }
        let since = observed.noPrimarySinceMs ?? now.monotonicMs
        observations[id]?.noPrimarySinceMs = since
        guard !observed.toldNoPrimary,
            now.monotonicMs - since >= 2 *| cluster.policy.detection.silenceMs
        else { return }
        observations[id]?.toldNoPrimary = true
        tellPrimary(id, isThere: false, now)
    }

    private mutating func tellPrimary(_ id: ClusterID, isThere: Bool, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        let evidence = cluster.evidence[cluster.primary] ?? ""
        queueAlert(
            type: "continuity.cluster.\(isThere ? "primary" : "no_primary")",
            severity: isThere ? .info : .critical, cluster: id, subject: id.rawValue,
            summary: isThere
                ? "\(id) has a primary again: \(cluster.primary)"
                : "no node of \(id) is known to run as primary, and nothing is under way to change "
                    + "that: \(cluster.primary) is "
                    + "\(cluster.status(of: cluster.primary).rawValue), \(evidence)",
            data: ["primary_node_id": .string(cluster.primary.rawValue)],
            discriminator: String(state.head.seq), now)
    }

    /// A primary whose data nobody takes. Its loss would lose writes; and where it waits for a
    /// secondary before it acknowledges, nobody can write at all.
    mutating func tellUnfollowed(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], let observed = observations[id],
            cluster.cluster.topology == .activePassive, cluster.run == nil, !cluster.isQuiet,
            actsAsPrimary(cluster.primary, id, now), !isStillListening(id, now)
        else { return }
        let waits = observed.nodes[cluster.primary]?.report?.service.isSynchronous == true
        let others = cluster.cluster.nodes.filter {
            $0.holdsData && $0.nodeID != cluster.primary
        }.map(\.nodeID)
        // Those that are lost are told as lost; of one that people work on nobody is told.
        let expected = others.filter {
            runsAsSecondary($0, id, now) && (waits || cluster.maintenance(of: $0) == nil)
        }
        guard !others.isEmpty, waits || !expected.isEmpty else { return }
        let silenceMs = cluster.policy.detection.silenceMs
        let isUnfollowed = expected.allSatisfy { node in
            guard let seen = observed.nodes[node] else { return false }
            return notStreamingMs(seen, in: id, now).map { $0 >= silenceMs } ?? false
        }
        let isFollowed = expected.contains {
            observed.nodes[$0]?.report?.service.streaming == true
        }
        guard observed.toldUnfollowed ? isFollowed : isUnfollowed else { return }
        observations[id]?.toldUnfollowed = isUnfollowed
        let consequence =
            waits
            ? "commits wait until one does"
            : "what it acknowledges is on no other node"
                + (cluster.policy.rpoS == 0 ? ", and rpo_s is 0" : "")
        queueAlert(
            type: "continuity.cluster.\(isUnfollowed ? "unfollowed" : "followed")",
            severity: !isUnfollowed ? .info : waits ? .critical : .warning, cluster: id,
            subject: cluster.primary.rawValue,
            summary: isUnfollowed
                ? "no secondary of \(id) takes changes from \(cluster.primary): \(consequence)"
                : "\(cluster.primary) of \(id) is followed again",
            data: ["primary_node_id": .string(cluster.primary.rawValue)],
            discriminator: String(state.head.seq), now)
    }

    private func runsAsSecondary(_ node: NodeID, _ id: ClusterID, _ now: Moment) -> Bool {
        let service = observations[id]?.nodes[node]?.report?.service
        return isHeard(node, in: id, now) && service?.state == .running
            && service?.role == .secondary
    }
}
