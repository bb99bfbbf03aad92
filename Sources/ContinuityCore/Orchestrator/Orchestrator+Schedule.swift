/// Moves that are arranged for a time: checked again when they are due, by the same rules as a
/// move that a person asks for at that moment.
extension Orchestrator {
    /// How much later than its window a move may still begin: the next tick, on a busy machine.
    private static let graceMs: Int64 = 5_000

    // MARK: Orders

    mutating func schedule(
        _ wish: ScheduleWish, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        let id = wish.clusterID
        try checkKnown(id, wish.targetNodeID)
        try check(reason: wish.reason)
        guard let cluster = state.clusters[id] else { return }
        try check(wish, cluster, now)
        let move = ScheduledMove(
            kind: wish.kind, targetNodeID: wish.targetNodeID, fromNodeID: cluster.primary,
            atMs: wish.atMs, windowMs: wish.windowS *| 1000, reason: wish.reason,
            requestedBy: actor, knownBy: wish.knownBy)
        emit(.moveScheduled(MoveScheduled(move: move)), cluster: id, actor: actor, now)
        let seq = state.head.seq
        if !isStillListening(id, now) { askInAdvance(id, now) }
        reply(.arranged(seq: seq, approval: state.clusters[id]?.scheduledApproval))
    }

    private func check(
        _ wish: ScheduleWish, _ cluster: ClusterState, _ now: Moment
    ) throws(OrderProblem) {
        guard cluster.scheduled == nil else {
            throw OrderProblem(
                "already-scheduled",
                "\(wish.clusterID) has an arranged move: 'continuity schedule cancel' comes first")
        }
        guard wish.kind == .failover || wish.kind == .switchover,
            cluster.cluster.topology == .activePassive
        else {
            throw OrderProblem(
                "bad-kind", .invalid,
                "a failover or a switchover of an active_passive cluster is arranged")
        }
        let ahead = now.utcMs...(now.utcMs + ScheduledMove.aheadMaxS * 1000)
        guard ahead.contains(wish.atMs) else {
            throw OrderProblem("bad-time", .invalid, "give a time from now to 90 days ahead")
        }
        guard ScheduledMove.windowRangeS.contains(wish.windowS) else {
            throw OrderProblem("bad-window", .invalid, "the window is a day at most")
        }
        guard let target = wish.targetNodeID else { return }
        guard cluster.cluster.node(target)?.holdsData == true, target != cluster.primary else {
            throw OrderProblem(
                "bad-target", .invalid, "\(target) is the primary already, or holds no data")
        }
    }

    mutating func cancelSchedule(
        _ id: ClusterID, reason: String, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        try check(reason: reason)
        guard state.clusters[id]?.scheduled != nil else {
            throw OrderProblem("not-scheduled", "\(id) has no arranged move: nothing to cancel")
        }
        endAdvanceApproval(.void, "the arranged move was cancelled: \(reason)", id, now)
        emit(
            .scheduleEnded(ScheduleEnded(end: .cancelled, reason: reason)), cluster: id,
            actor: actor, now)
        reply(.noted(seq: state.head.seq))
    }

    // MARK: Due

    mutating func considerScheduled(_ id: ClusterID, _ now: Moment) {
        guard state.clusters[id]?.scheduled != nil, !isStillListening(id, now) else { return }
        askInAdvance(id, now)
        guard let cluster = state.clusters[id], let move = cluster.scheduled,
            now.utcMs >= move.atMs
        else { return }
        guard now.utcMs <= move.untilMs +| Self.graceMs else {
            return endSchedule(
                ScheduleEnded(end: .missed, reason: "nobody was there to begin it in time"), id,
                now)
        }
        do throws(PlanRefusal) {
            let plan = try duePlan(move, id, cluster, now)
            begin(move, plan, approval: try consent(to: plan, of: move, cluster), id, now)
        } catch {
            wait(error, move, id, cluster, now)
        }
    }

    private mutating func begin(
        _ move: ScheduledMove, _ plan: Plan, approval: PendingApproval?, _ id: ClusterID,
        _ now: Moment
    ) {
        if state.clusters[id]?.scheduledHold != nil {
            emit(.scheduleHeld(ScheduleHeld(hold: nil)), cluster: id, now)
        }
        var reason =
            "it is due: \(plan.planID), \(plan.primaryNodeID) to \(plan.failoverTargetID)"
        if let approval {
            if approval.plan.planID != plan.planID {
                reason +=
                    "; approved in advance with \(approval.plan.planID), "
                    + "\(approval.plan.primaryNodeID) to \(approval.plan.failoverTargetID)"
            }
            end(approval, .approved, reason, by: nil, id, now)
        } else {
            endAdvanceApproval(.void, "the policy asks for no approval any more", id, now)
        }
        start(
            plan, kind: move.kind, trigger: RunTrigger.scheduled, by: move.requestedBy,
            reason: move.reason, targetIsFixed: move.targetNodeID != nil, approval: approval, id,
            now)
        let runID = state.clusters[id]?.run?.runID
        advance(id, now)
        emit(
            .scheduleEnded(ScheduleEnded(end: .started, runID: runID, reason: reason)),
            cluster: id, now)
    }

    private mutating func wait(
        _ refusal: PlanRefusal, _ move: ScheduledMove, _ id: ClusterID, _ cluster: ClusterState,
        _ now: Moment
    ) {
        // What it was arranged for is over: waiting brings nothing back.
        guard refusal.rule != .planChanged, now.utcMs < move.untilMs else {
            return endSchedule(
                ScheduleEnded(end: .refused, rule: refusal.rule, reason: refusal.evidence), id,
                now)
        }
        let hold = Hold(rule: refusal.rule, evidence: refusal.evidence)
        guard cluster.scheduledHold != hold else { return }
        emit(.scheduleHeld(ScheduleHeld(hold: hold)), cluster: id, now)
    }

    mutating func endSchedule(_ body: ScheduleEnded, _ id: ClusterID, _ now: Moment) {
        let isOutside = body.rule == .planChanged
        endAdvanceApproval(
            isOutside ? .void : .expired,
            isOutside ? body.reason : "the move did not begin in its window: \(body.reason)", id,
            now)
        emit(.scheduleEnded(body), cluster: id, now)
        let rule = body.rule.map { "\($0.rawValue): " } ?? ""
        queueAlert(
            type: "continuity.schedule.\(body.end.rawValue)", severity: .warning, cluster: id,
            subject: id.rawValue,
            summary: "the arranged move of \(id) was \(body.end.rawValue): \(rule)\(body.reason)",
            data: ["rule": body.rule.map { .string($0.rawValue) } ?? .null],
            discriminator: String(state.head.seq), now)
    }

    /// - Throws: the first rule that stands against it now.
    private func duePlan(
        _ move: ScheduledMove, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) throws(PlanRefusal) -> Plan {
        guard cluster.primary == move.fromNodeID else {
            throw PlanRefusal(
                rule: .planChanged,
                evidence: "\(cluster.primary) is the primary now; it was arranged to move it away "
                    + "from \(move.fromNodeID)")
        }
        if let refusal = refusalOfPause(cluster) ?? cluster.holdOfQuarantine?.asRefusal {
            throw refusal
        }
        if let window = cluster.policy.freezeWindows.first(where: { $0.contains(utcMs: now.utcMs) })
        {
            throw PlanRefusal(rule: .freezeWindow, evidence: window.reason)
        }
        return try requestedPlan(
            request(move, id), cluster, trigger: RunTrigger.scheduled, now)
    }

    private func request(_ move: ScheduledMove, _ id: ClusterID) -> OperatorRequest {
        OperatorRequest(
            clusterID: id, kind: move.kind, targetNodeID: move.targetNodeID, reason: move.reason,
            requestedBy: move.principal)
    }
}
