/// Pause and maintenance: what begins and ends them, and what they hold. Leases are renewed all the
/// while: leaving a cluster alone must never be what takes it out of service.
extension Orchestrator {
    // MARK: Orders

    mutating func pause(
        _ id: ClusterID, _ wish: SuspensionWish, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        let suspension = try suspension(wish, by: actor, now)
        emit(
            .pauseStarted(PauseStarted(suspension: suspension)), cluster: id, actor: actor, now)
        tellOfPause(
            "started", id, "\(id) is paused by \(suspension.owner): \(suspension.reason)",
            untilMs: suspension.untilMs, now)
        noted(id, now)
    }

    mutating func resume(
        _ id: ClusterID, reason: String, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        try check(reason: reason)
        let isQuarantined = state.clusters[id]?.quarantine != nil
        let isPaused = state.clusters[id]?.pause != nil
        guard isPaused || isQuarantined else {
            throw OrderProblem("not-paused", "\(id) is not paused: nothing to resume")
        }
        if isQuarantined {
            emit(
                .quarantineEnded(QuarantineEnded(reason: reason)), cluster: id, actor: actor, now)
        }
        if isPaused { endPause(id, .byHand, reason, by: actor, now) }
        noted(id, now)
    }

    mutating func beginMaintenance(
        _ id: ClusterID, _ node: NodeID?, _ wish: SuspensionWish, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id, node)
        let suspension = try suspension(wish, by: actor, now)
        emit(
            .maintenanceStarted(MaintenanceStarted(nodeID: node, suspension: suspension)),
            cluster: id, actor: actor, now)
        noted(id, now)
    }

    mutating func endMaintenance(
        _ id: ClusterID, _ node: NodeID?, reason: String, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id, node)
        try check(reason: reason)
        let cluster = state.clusters[id]
        guard (node.map { cluster?.nodeMaintenance[$0] } ?? cluster?.maintenance) != nil else {
            throw OrderProblem(
                "not-in-maintenance",
                "\(node?.rawValue ?? id.rawValue) is not in maintenance: nothing to end")
        }
        emit(
            .maintenanceEnded(MaintenanceEnded(nodeID: node, end: .byHand, reason: reason)),
            cluster: id, actor: actor, now)
        noted(id, now)
    }

    private mutating func noted(_ id: ClusterID, _ now: Moment) {
        let seq = state.head.seq
        evaluate(id, now)
        reply(.noted(seq: seq))
    }

    func checkKnown(_ id: ClusterID, _ node: NodeID? = nil) throws(OrderProblem) {
        guard let cluster = state.clusters[id], observations[id] != nil else {
            throw OrderProblem(
                "no-such-cluster", .unknown, "the server's configuration has no cluster '\(id)'")
        }
        guard let node, cluster.cluster.node(node) == nil else { return }
        throw OrderProblem("no-such-node", .unknown, "the cluster \(id) has no node '\(node)'")
    }

    private func suspension(
        _ wish: SuspensionWish, by actor: String, _ now: Moment
    ) throws(OrderProblem) -> Suspension {
        try check(reason: wish.reason)
        guard (1...100).contains(wish.owner.count) else {
            throw OrderProblem("bad-owner", .invalid, "name an owner, in 1 to 100 characters")
        }
        let range = Suspension.durationRangeS
        guard range.contains(wish.durationS) else {
            throw OrderProblem(
                "bad-duration", .invalid,
                "it must end: give \(range.lowerBound) to \(range.upperBound) seconds")
        }
        return Suspension(
            owner: wish.owner, reason: wish.reason, fromMs: now.utcMs,
            untilMs: now.utcMs +| wish.durationS *| 1000,
            setBy: actor == wish.owner ? nil : actor)
    }

    // MARK: Time

    /// Ends what is over.
    mutating func expireSuspensions(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        if let pause = cluster.pause, now.utcMs >= pause.untilMs {
            endPause(id, .expired, "its time is over", by: "continuity", now)
        }
        var expired: [NodeID?] = cluster.nodeMaintenance
            .filter { now.utcMs >= $0.value.untilMs }.keys.sorted()
        if let whole = cluster.maintenance, now.utcMs >= whole.untilMs { expired.append(nil) }
        for node in expired {
            emit(
                .maintenanceEnded(
                    MaintenanceEnded(nodeID: node, end: .expired, reason: "its time is over")),
                cluster: id, now)
            queueAlert(
                type: "continuity.maintenance.expired", severity: .info, cluster: id,
                subject: node?.rawValue ?? id.rawValue,
                summary: "the maintenance of \(node.map { "\($0) of " } ?? "")\(id) has expired",
                data: ["node_id": node.map { .string($0.rawValue) } ?? .null],
                discriminator: String(state.head.seq), now)
        }
    }

    private mutating func endPause(
        _ id: ClusterID, _ end: SuspensionEnd, _ reason: String, by actor: String, _ now: Moment
    ) {
        emit(.pauseEnded(PauseEnded(end: end, reason: reason)), cluster: id, actor: actor, now)
        let how =
            end == .expired ? "the pause of \(id) has expired" : "\(id) is resumed by \(actor)"
        tellOfPause("ended", id, "\(how): \(reason)", untilMs: nil, now)
    }

    private mutating func tellOfPause(
        _ what: String, _ id: ClusterID, _ summary: String, untilMs: Int64?, _ now: Moment
    ) {
        queueAlert(
            type: "continuity.pause.\(what)", severity: .info, cluster: id, subject: id.rawValue,
            summary: summary, data: ["until_ms": untilMs.map { .int($0) } ?? .null],
            discriminator: String(state.head.seq), now)
    }

    // MARK: What they hold

    /// The hold of a cluster that is to be left alone.
    func holdOfSuspension(_ cluster: ClusterState) -> Hold? {
        if let pause = cluster.pause {
            return Hold(
                rule: .paused, evidence: "paused by \(pause.owner): \(pause.reason)",
                earliestAtMs: pause.untilMs)
        }
        // A node of an active/active cluster in maintenance gives its weight away instead.
        let node =
            cluster.cluster.topology == .activePassive
            ? cluster.nodeMaintenance[cluster.primary] : nil
        guard let work = node ?? cluster.maintenance else { return nil }
        let what =
            node == nil
            ? "the cluster" : cluster.primary.rawValue
        return Hold(
            rule: .maintenance,
            evidence: "\(what) is in maintenance by \(work.owner): \(work.reason)",
            earliestAtMs: work.untilMs)
    }

    /// Why a person's move is refused: who has paused the cluster meant everybody.
    func refusalOfPause(_ cluster: ClusterState) -> PlanRefusal? {
        guard let pause = cluster.pause else { return nil }
        return PlanRefusal(
            rule: .paused,
            evidence: "paused by \(pause.owner): \(pause.reason); 'continuity resume' comes first")
    }
}
