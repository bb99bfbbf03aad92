/// Taking what the files say. What only says how to decide is taken at once. Which nodes there are
/// decides who may hold acknowledged writes and whose promises count: that changes only while the
/// primary is heard and nothing is in doubt.
extension Orchestrator {
    /// The cluster as far as anything is decided for it: one that the files name.
    func served(_ id: ClusterID) -> ClusterState? {
        state.clusters[id].flatMap { $0.isReleased ? nil : $0 }
    }

    /// Lets go of the clusters that the files do not name any more, and tells people: that a file is
    /// missing may be a mistake.
    mutating func release(allBut named: [ClusterID], _ now: Moment) {
        for id in state.clusters.keys.sorted() where !named.contains(id) {
            guard let cluster = served(id) else { continue }
            emit(
                .clusterReleased(ClusterReleased(primaryNodeID: cluster.primary)), cluster: id, now)
            queueAlert(
                type: "continuity.cluster.released", severity: .warning, cluster: id,
                subject: id.rawValue,
                summary: "\(id) is not in the files any more: nothing is watched or moved there. "
                    + "If that was not meant, name its files in 'clusters' again",
                data: ["primary_node_id": .string(cluster.primary.rawValue)],
                discriminator: String(state.head.seq), now)
        }
    }

    mutating func configure(_ configuration: ClusterConfigured, _ now: Moment) {
        let id = configuration.cluster.clusterID
        guard let known = state.clusters[id] else {
            return emit(.clusterConfigured(configuration), cluster: id, now)
        }
        guard
            known.cluster != configuration.cluster || known.policy != configuration.policy
                || state.alertChannels != configuration.alertChannels || known.isReleased
        else { return }
        guard !known.changesNodes(to: configuration.cluster) else {
            var observation =
                observations[id] ?? ClusterObservation(observingSinceMs: now.monotonicMs)
            observation.deferredConfiguration = configuration
            observations[id] = observation
            return
        }
        emit(.clusterConfigured(configuration), cluster: id, now)
    }

    mutating func takeDeferredConfiguration(_ id: ClusterID, _ now: Moment) {
        guard var configuration = observations[id]?.deferredConfiguration,
            let cluster = state.clusters[id],
            obstacle(to: configuration, cluster, id, now) == nil
        else { return }
        let staying = Set(configuration.cluster.nodes.map(\.nodeID))
        let mayLose = cluster.possibleHolders.subtracting(staying)
        if !mayLose.isEmpty {
            configuration.floorBytes =
                observations[id]?.nodes[cluster.primary]?.report?.service.positionBytes
        }
        observations[id]?.deferredConfiguration = nil
        observations[id]?.formerLeasesSinceMs = now.monotonicMs
        emit(.clusterConfigured(configuration), cluster: id, now)
        let longest = now.monotonicMs + (state.clusters[id]?.longestLeaseMs ?? 0)
        let known = observations[id]?.nodes ?? [:]
        observations[id]?.nodes = Dictionary(
            uniqueKeysWithValues: staying.map {
                ($0, known[$0] ?? Observation(leaseUntilMs: longest))
            })
    }

    func holdOfConfiguration(_ id: ClusterID, _ now: Moment) -> Hold? {
        guard let configuration = observations[id]?.deferredConfiguration,
            let cluster = state.clusters[id], !isYoung(id, now),
            let obstacle = obstacle(to: configuration, cluster, id, now)
        else { return nil }
        return Hold(
            rule: .configurationConflict,
            evidence: "the nodes in the files are not taken: \(obstacle)")
    }

    private func obstacle(
        to configuration: ClusterConfigured, _ cluster: ClusterState, _ id: ClusterID,
        _ now: Moment
    ) -> String? {
        let primary = cluster.primary
        guard configuration.cluster.node(primary)?.holdsData == true else {
            return "\(primary) is the primary and is not among them; hand over first "
                + "('continuity switchover --cluster \(id)'), then remove it"
        }
        // Whoever is well has not reported yet.
        if isStillListening(id, now) { return "this process has just begun to listen" }
        if let run = cluster.run { return "\(run.runID) is under way" }
        if let node = cluster.inDoubt { return "\(node) may have become primary" }
        guard isSeenAsPrimary(primary, id, now) else {
            return "\(primary) is not heard as primary, and others may hold what it acknowledged"
        }
        guard cluster.policy.rpoS == 0 else { return nil }
        let toldAtMs = observations[id]?.nodes[primary]?.heardAtMs ?? 0
        let leaving = cluster.cluster.nodes.map(\.nodeID).first { node in
            guard configuration.cluster.node(node)?.holdsData != true,
                cluster.possibleHolders.contains(node), isHeard(node, in: id, now)
            else { return false }
            // What the primary acknowledged until then, it has told of since.
            let stoppedAtMs = observations[id]?.nodes[node]?.stoppedSinceMs
            return stoppedAtMs.map { $0 >= toldAtMs } ?? true
        }
        guard let leaving else { return nil }
        return "\(leaving) still takes the primary's changes, and rpo_s is 0: stop its service, "
            + "then remove it"
    }
}

extension ClusterState {
    /// Whether other nodes vote, or hold data, than do now.
    func changesNodes(to other: Cluster) -> Bool {
        guard cluster.topology == .activePassive, other.topology == .activePassive else {
            return false
        }
        func key(_ cluster: Cluster) -> Set<String> {
            Set(cluster.nodes.map { "\($0.nodeID)/\($0.holdsData)" })
        }
        return key(cluster) != key(other)
    }
}
