extension Orchestrator {
    // MARK: Hearing

    mutating func hear(_ report: NodeReport, _ now: Moment) {
        let id = report.clusterID
        guard let cluster = served(id) else { return reply(.unknownCluster(id)) }
        guard observations[id]?.nodes[report.nodeID] != nil else {
            return reply(.unknownNode(report.nodeID))
        }
        if observations[id]?.nodes[report.nodeID]?.isStale(report) == false {
            observations[id]?.nodes[report.nodeID]?.hear(report, atMs: now.monotonicMs)
            noteLeaseKnowledge(of: report, id, now)
            noteSurvivors(report, id, now)
            evaluate(id, now)
        }
        reply(.report(answer(to: report, cluster: state.clusters[id] ?? cluster, now)))
    }

    private mutating func answer(
        to report: NodeReport, cluster: ClusterState, _ now: Moment
    ) -> ReportReply {
        let settings = cluster.policy.detection
        var leaseMs: Int64?
        // One that is being started needs it at the moment at which it runs.
        let isStarting = cluster.run?.pendingOperations.contains {
            $0.makesPrimary && $0.nodeID == report.nodeID
        }
        if mayHoldLease(report.nodeID, cluster, now),
            report.service.state != .stopped || isStarting == true
        {
            leaseMs = cluster.leaseMs
            grantLease(
                to: report.nodeID, in: cluster.cluster.clusterID,
                untilMs: now.monotonicMs + cluster.leaseMs)
        }
        let peers = cluster.cluster.nodes.compactMap { node -> PeerAddress? in
            guard node.nodeID != report.nodeID, let url = node.agentURL else { return nil }
            return PeerAddress(
                nodeID: node.nodeID, agentURL: url, serviceAddress: node.serviceAddress ?? "",
                probe: cluster.cluster.serviceProbe, isPrimary: cluster.mayBePrimary(node.nodeID))
        }
        return ReportReply(
            epoch: state.epoch, instanceID: state.instanceID, clockMs: now.monotonicMs,
            intervalMs: settings.intervalMs, jitterPermille: settings.jitterPermille,
            leaseMs: leaseMs, endsDenials: endsDenials(cluster, now), peers: peers,
            checkpoint: state.checkpoint, promiseRule: cluster.promiseRule,
            isUnleased: cluster.cluster.topology == .activeActive ? true : nil,
            promiseLimitMs: cluster.promiseLimitMs)
    }

    /// A run that has ended without a new primary is tried again, and may count on what was denied
    /// for the last one: a promise can last for longer than a run.
    private func endsDenials(_ cluster: ClusterState, _ now: Moment) -> Bool {
        cluster.run == nil && cluster.inDoubt == nil
            && isHeard(cluster.primary, in: cluster.cluster.clusterID, now)
    }

    /// The lease is what makes a lost primary safe to replace: it is not renewed for a primary
    /// that a run is about to take the role from.
    private func mayHoldLease(_ node: NodeID, _ cluster: ClusterState, _ now: Moment) -> Bool {
        if otherLeadership(cluster.cluster.clusterID, now) != nil { return false }
        // While a node may be primary, nobody else gets what makes one.
        if let doubtful = cluster.inDoubt { return node == doubtful }
        // Each active node has a lease of its own: it excludes nobody, and it ends with quorum.
        if cluster.cluster.topology == .activeActive { return cluster.isActive(node) }
        guard node == cluster.primary else { return false }
        guard let run = cluster.run, run.plan.primaryNodeID == node, !run.promoted else {
            return true
        }
        switch run.kind {
        case .restart, .rebalance, .adopt: return true
        // On the way back it is to be primary again.
        case .switchover: return run.fenceProof == nil || run.phase == .rollingBack
        case .failover: return false
        }
    }

    mutating func grantLease(to node: NodeID, in id: ClusterID, untilMs: Int64) {
        let current = observations[id]?.nodes[node]?.leaseUntilMs ?? 0
        observations[id]?.nodes[node]?.leaseUntilMs = max(current, untilMs)
    }

    // MARK: Judging

    func isHeard(_ node: NodeID, in id: ClusterID, _ now: Moment) -> Bool {
        guard let heardAt = observations[id]?.nodes[node]?.heardAtMs,
            let silence = state.clusters[id]?.policy.detection.silenceMs
        else { return false }
        return now.monotonicMs - heardAt < silence
    }

    func heardNodes(in id: ClusterID, _ now: Moment) -> [NodeID] {
        (state.clusters[id]?.cluster.nodes ?? []).map(\.nodeID).filter {
            isHeard($0, in: id, now)
        }
    }

    mutating func detect(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        for node in cluster.cluster.nodes {
            let before = state.clusters[id]?.status(of: node.nodeID) ?? .unknown
            guard let judgement = judge(node, in: id, now), judgement.status != before else {
                continue
            }
            let isFlapping =
                observations[id]?.nodes[node.nodeID]?.isFlapping(atMs: now.monotonicMs) ?? false
            if isFlapping, judgement.status.severity < before.severity { continue }
            observations[id]?.nodes[node.nodeID]?.noteStatusChange(atMs: now.monotonicMs)
            emit(
                .nodeStatusChanged(
                    NodeStatusChanged(
                        nodeID: node.nodeID, from: before, to: judgement.status,
                        evidence: judgement.evidence)),
                cluster: id, now)
        }
        notePrimary(id, now)
        detectHealth(id, now)
        tellUnfollowed(id, now)
    }

    private mutating func notePrimary(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        guard cluster.status(of: cluster.primary) == .healthy else {
            observations[id]?.primaryWell = nil
            return
        }
        guard observations[id]?.primaryWell?.node != cluster.primary else { return }
        observations[id]?.primaryWell = (cluster.primary, now.monotonicMs)
    }

    /// For how long a node has taken no changes although there was a healthy primary, in
    /// milliseconds; `nil` while it does, or there is none.
    func notStreamingMs(_ seen: Observation, in id: ClusterID, _ now: Moment) -> Int64? {
        guard let since = seen.notStreamingSinceMs,
            let primary = observations[id]?.primaryWell,
            primary.node == state.clusters[id]?.primary
        else { return nil }
        return now.monotonicMs - max(since, primary.sinceMs)
    }

    private struct Judgement {
        let status: NodeStatus
        let evidence: String
    }

    /// `nil`: too early to tell, the status stays.
    private func judge(_ node: Node, in id: ClusterID, _ now: Moment) -> Judgement? {
        guard let cluster = state.clusters[id], let observed = observations[id],
            let seen = observed.nodes[node.nodeID]
        else { return nil }
        guard isHeard(node.nodeID, in: id, now), let report = seen.report else {
            let since = seen.heardAtMs ?? observed.observingSinceMs
            guard now.monotonicMs - since >= cluster.policy.detection.silenceMs else { return nil }
            return judgeSilent(node, in: id, now)
        }
        // It has no service that could be stopped.
        guard node.holdsData else { return Judgement(status: .healthy, evidence: "reports") }
        switch report.service.state {
        case .stopped:
            return Judgement(status: .failed, evidence: "its agent reports the service stopped")
        case .unknown:
            let detail = report.service.detail
            return Judgement(
                status: .unknown,
                evidence: "its agent has not probed the service"
                    + (detail.isEmpty ? "" : ": \(detail)"))
        case .failing:
            let failingMs = now.monotonicMs - (seen.failingSinceMs ?? now.monotonicMs)
            let isLasting = failingMs >= cluster.policy.detection.silenceMs
            return Judgement(
                status: isLasting ? .failed : .degraded,
                evidence: "its agent's probe fails: \(report.service.detail)")
        case .running:
            return judgeRunning(node, report, seen, cluster, now)
        }
    }

    /// A node that this process does not hear is *suspected*; it has *failed* when the voters that
    /// are heard are a majority and a majority of the voters report it unreachable.
    private func judgeSilent(_ node: Node, in id: ClusterID, _ now: Moment) -> Judgement {
        guard let cluster = state.clusters[id] else {
            return Judgement(status: .unknown, evidence: "")
        }
        let votes = votes(on: node.nodeID, in: id, now)
        let count = cluster.cluster.nodes.count
        if cluster.outlivedLease.contains(node.nodeID) {
            return Judgement(
                status: .unknown,
                evidence: "not heard, and its service was reached after its lease had ended")
        }
        guard cluster.policy.needsQuorum else {
            return votes.serviceOnly + votes.reachable > 0
                ? Judgement(status: .unknown, evidence: "not heard, but peers still reach it")
                : Judgement(status: .failed, evidence: "not heard; the policy asks no quorum")
        }
        if votes.heard >= cluster.cluster.quorumSize,
            votes.unreachable >= cluster.cluster.quorumSize
        {
            return Judgement(
                status: .failed,
                evidence: "not heard, and \(votes.unreachable) of \(count) voters report it "
                    + "unreachable")
        }
        return Judgement(
            status: .unknown,
            evidence: "not heard; of \(count) voters \(votes.heard) are heard, "
                + "\(votes.unreachable) report it unreachable")
    }

    struct Votes {
        var heard = 0
        var unreachable = 0
        var reachable = 0
        var serviceOnly = 0
    }

    func votes(on suspect: NodeID, in id: ClusterID, _ now: Moment) -> Votes {
        var votes = Votes()
        for node in heardNodes(in: id, now) where node != suspect {
            votes.heard += 1
            switch observations[id]?.nodes[node]?.report?.peers[suspect] {
            // What is asked for is the service: an agent that tells of its end is no reason to wait.
            case .unreachable, .serviceStopped: votes.unreachable += 1
            case .reachable: votes.reachable += 1
            case .serviceOnly: votes.serviceOnly += 1
            case nil: break
            }
        }
        return votes
    }

    private func judgeRunning(
        _ node: Node, _ report: NodeReport, _ seen: Observation, _ cluster: ClusterState,
        _ now: Moment
    ) -> Judgement {
        let before = cluster.status(of: node.nodeID)
        if before == .failed, seen.goodReports < cluster.policy.detection.recoveryThreshold {
            return Judgement(status: .failed, evidence: "")
        }
        let expected: ServiceReport.Role =
            cluster.isActive(node.nodeID) ? .primary : .secondary
        // While a run makes it primary, its target may already be what the journal does not say yet.
        let isTarget =
            cluster.run?.plan.failoverTargetID == node.nodeID || cluster.inDoubt == node.nodeID
        // Nobody can write, and nobody else may become primary unless this counts as lost.
        if node.nodeID == cluster.primary, let silentMs = seen.secondaryMs(atMs: now.monotonicMs),
            cluster.cluster.topology == .activePassive, cluster.run == nil, !isTarget,
            silentMs >= cluster.policy.detection.silenceMs
        {
            return Judgement(
                status: .failed, evidence: "runs as secondary, and no other node is primary")
        }
        if report.service.role != .unknown, report.service.role != expected, !isTarget {
            return Judgement(
                status: .degraded,
                evidence: "runs as \(report.service.role.rawValue), expected "
                    + expected.rawValue)
        }
        // A server that recovers for long, say: it runs, and whether anybody can write is not known.
        if expected == .primary, !isTarget, let silentMs = seen.rolelessMs(atMs: now.monotonicMs),
            silentMs >= cluster.policy.detection.silenceMs
        {
            return Judgement(
                status: .degraded,
                evidence: "runs and does not tell its role"
                    + (report.service.detail.isEmpty ? "" : ": \(report.service.detail)"))
        }
        // What it holds is not the primary's: it can be brought back, not promoted.
        if expected == .secondary, !isTarget, !cluster.replicas.contains(node.nodeID) {
            return Judgement(status: .degraded, evidence: "does not follow the primary yet")
        }
        // Without a primary nobody can stream: that is not the secondary's fault.
        if expected == .secondary,
            let silentMs = notStreamingMs(seen, in: cluster.cluster.clusterID, now),
            silentMs >= cluster.policy.detection.silenceMs
        {
            return Judgement(status: .degraded, evidence: "takes no changes from the primary")
        }
        return Judgement(
            status: .healthy, evidence: "reports the service running as \(expected.rawValue)")
    }

    private mutating func detectHealth(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        let nodes = cluster.cluster.nodes
        let heard = nodes.filter {
            isHeard($0.nodeID, in: id, now) || cluster.status(of: $0.nodeID) == .healthy
        }
        // Right after a start nobody could have reported yet.
        if cluster.health == .unknown, heard.count < nodes.count, isYoung(id, now) { return }
        // A secondary that people work on is not what makes a cluster unwell.
        let unwell = nodes.filter {
            cluster.status(of: $0.nodeID) != .healthy
                && (cluster.nodeMaintenance[$0.nodeID] == nil
                    || (cluster.cluster.topology == .activePassive
                        && $0.nodeID == cluster.primary))
        }
        let undone = cluster.undoneInOrder.filter(\.degradesService)
        let resting = nodes.count { cluster.status(of: $0.nodeID) != .healthy } - unwell.count
        watchCommits(of: cluster, now)
        let isAsynchronous = observations[id]?.commits.isAsynchronous ?? false
        let asynchronous = Self.asynchronousText(cluster.primary)
        let health: ClusterHealth =
            heard.count < cluster.cluster.quorumSize
            ? .critical
            : unwell.isEmpty && undone.isEmpty && !isAsynchronous ? .healthy : .degraded
        let nodesAreWell =
            resting == 0
            ? "all \(nodes.count) nodes are healthy"
            : "\(nodes.count - resting) nodes are healthy, \(resting) in maintenance"
        // Once the nodes are well again, what remains is the reason.
        let remains = undone.map(\.title) + (isAsynchronous ? [asynchronous] : [])
        let isOtherReason =
            health == .degraded && unwell.isEmpty
            && (!cluster.healthEvidence.hasPrefix(nodesAreWell)
                || remains.contains { !cluster.healthEvidence.contains($0) })
        guard health != cluster.health || isOtherReason else { return tellLostNodes(id, now) }
        let ofNodes =
            unwell.isEmpty
            ? nodesAreWell
            : unwell.map { "\($0.nodeID) is \(cluster.status(of: $0.nodeID).rawValue)" }
                .joined(separator: ", ") + "; \(heard.count) of \(nodes.count) voters are heard"
        let evidence =
            ([ofNodes] + undone.map(\.text) + (isAsynchronous ? [asynchronous] : []))
            .joined(separator: "; ")
        emit(
            .clusterStateChanged(
                ClusterStateChanged(from: cluster.health, to: health, evidence: evidence)),
            cluster: id, now)
        guard health != cluster.health else { return }
        tellHealth(id, from: cluster.health, evidence: evidence, now)
    }

    /// Whether a node that is well might not have reported to this process yet.
    func isYoung(_ id: ClusterID, _ now: Moment) -> Bool {
        guard let since = observations[id]?.observingSinceMs, let cluster = state.clusters[id]
        else { return true }
        return now.monotonicMs - since < cluster.policy.detection.silenceMs
    }
}
