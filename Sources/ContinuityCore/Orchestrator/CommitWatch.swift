/// Whether the primary of a cluster that may lose nothing acknowledges writes only once another
/// node holds them. Volatile: read from reports, gathered anew by the next process.
struct CommitWatch: Hashable, Sendable {
    /// A server that is reloaded or promoted may say either for a moment; whoever says both in turn
    /// writes at most one change a minute into the journal.
    private static let settledMs: Int64 = 60_000

    private var primary: NodeID?
    private(set) var isAsynchronous = false
    /// Since when the reports say the opposite.
    private var contradictedSinceMs: Int64?

    /// - Parameter silenceMs: how long the primary must say it: the policy's detection bound.
    mutating func note(
        primary: NodeID, isSynchronous: Bool?, silenceMs: Int64, atMs now: Int64
    ) {
        if self.primary != primary { self = CommitWatch(primary: primary) }
        guard (isSynchronous == false) != isAsynchronous else {
            contradictedSinceMs = nil
            return
        }
        let since = contradictedSinceMs ?? now
        contradictedSinceMs = since
        guard now -| since >= (isAsynchronous ? Self.settledMs : silenceMs) else { return }
        isAsynchronous.toggle()
        contradictedSinceMs = nil
    }

    init() {}

    private init(primary: NodeID) { self.primary = primary }
}

extension Orchestrator {
    /// Why a cluster whose policy allows no loss may lose acknowledged writes, or why that is not
    /// known; `nil`: commits wait for another node, or the policy allows a loss.
    func replicationTrouble(of cluster: ClusterState, _ now: Moment) -> String? {
        guard needsSynchronousCommits(cluster) else { return nil }
        let primary = cluster.primary
        guard let service = primaryService(of: cluster, now) else {
            return "\(primary) does not report a running primary: whether commits wait for another "
                + "node is not known"
        }
        switch service.isSynchronous {
        case true: return nil
        case false: return Self.asynchronousText(primary)
        case nil:
            return "the status program of \(primary) does not say whether commits wait for another "
                + "node; the policy allows no loss (rpo_s 0)"
        }
    }

    /// To be called with each look at the cluster's health.
    mutating func watchCommits(of cluster: ClusterState, _ now: Moment) {
        guard needsSynchronousCommits(cluster) else {
            observations[cluster.cluster.clusterID]?.commits = CommitWatch()
            return
        }
        // Who is silent, or stopped, acknowledges nothing.
        guard let service = primaryService(of: cluster, now) else { return }
        observations[cluster.cluster.clusterID]?.commits.note(
            primary: cluster.primary, isSynchronous: service.isSynchronous,
            silenceMs: cluster.policy.detection.silenceMs, atMs: now.monotonicMs)
    }

    static func asynchronousText(_ primary: NodeID) -> String {
        "\(primary) acknowledges writes that no other node holds; the policy allows no loss (rpo_s 0)"
    }

    private func needsSynchronousCommits(_ cluster: ClusterState) -> Bool {
        cluster.cluster.topology == .activePassive && cluster.policy.rpoS == 0
    }

    private func primaryService(of cluster: ClusterState, _ now: Moment) -> ServiceReport? {
        let id = cluster.cluster.clusterID
        guard isHeard(cluster.primary, in: id, now),
            let service = observations[id]?.nodes[cluster.primary]?.report?.service,
            service.state == .running, service.role == .primary
        else { return nil }
        return service
    }
}
