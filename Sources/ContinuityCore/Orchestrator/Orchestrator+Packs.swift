/// Packs that changed on disk while the server runs.
extension Orchestrator {
    /// Takes the policies that name the new digests, and journals what changed and what was
    /// refused. Not while a run is under way: it ends with the packs that it began with. Which nodes
    /// there are does not change by it: where the files name others, they wait as before.
    mutating func change(
        _ body: HookPacksChanged, clusters: [ClusterConfigured], by actor: String, _ now: Moment
    ) {
        let active = clusters.compactMap { state.clusters[$0.cluster.clusterID]?.run?.runID }
        if let run = active.first {
            return reply(
                .refused(PlanRefusal(rule: .runActive, evidence: "\(run) is under way")))
        }
        if !body.changes.isEmpty || !body.rejected.isEmpty {
            emit(.hookPacksChanged(body), cluster: nil, actor: actor, now)
        }
        configuration.clusters = clusters
        for var configuration in clusters {
            let id = configuration.cluster.clusterID
            if observations[id]?.deferredConfiguration != nil {
                observations[id]?.deferredConfiguration = configuration
            }
            guard let known = state.clusters[id], known.policy != configuration.policy else {
                continue
            }
            cancelDrill(id, because: "the packs have changed", now)
            if known.changesNodes(to: configuration.cluster) {
                configuration.cluster = known.cluster
            }
            emit(.clusterConfigured(configuration), cluster: id, actor: actor, now)
        }
        reply(.hookPacksChanged(body))
    }
}
