extension Orchestrator {
    /// Restarts in place count against `restart_attempts` for this long.
    static let restartWindowMs: Int64 = 600_000
    /// The pause after an automatic run that did not commit doubles from the first to the last.
    static let retryBackoffMs: ClosedRange<Int64> = 2_000...300_000

    // MARK: By itself

    /// Moves the primary if it has failed and no rule stands against it; else says which rule.
    mutating func considerFailover(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        if let hold = cluster.holdOfQuarantine { return setHold(hold, id, now) }
        guard cluster.cluster.topology == .activePassive else { return considerWeights(id, now) }
        if adoptFoundPrimary(id, cluster, now) { return }
        let status = cluster.status(of: cluster.primary)
        if status == .failed {
            cancelDrill(id, because: "\(cluster.primary) has failed in earnest", now)
        }
        switch status {
        case .healthy, .degraded:
            observations[id]?.suspectedSinceMs = nil
            setHold(holdOfContradiction(id, cluster, now), id, now)
        case .unknown:
            setHold(holdOfSuspicion(id, cluster, now), id, now)
        case .failed:
            observations[id]?.suspectedSinceMs = nil
            failOver(id, cluster, now)
        }
    }

    private mutating func holdOfSuspicion(
        _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> Hold? {
        guard cluster.wasHealthy else { return nil }
        return holdOfSilence(cluster.primary, id, cluster, now)
    }

    /// Why a node that is not heard is not given up.
    mutating func holdOfSilence(
        _ node: NodeID, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> Hold? {
        let since = observations[id]?.suspectedSinceMs ?? now.monotonicMs
        observations[id]?.suspectedSinceMs = since
        // Peers need up to an interval to see what this process already misses.
        guard now.monotonicMs - since >= cluster.policy.detection.intervalMs else {
            return cluster.hold
        }
        let votes = votes(on: node, in: id, now)
        let count = cluster.cluster.nodes.count
        if votes.reachable + votes.serviceOnly > 0 {
            return Hold(
                rule: .peersReachPrimary,
                evidence: "\(node) is not heard here, but "
                    + "\(votes.reachable + votes.serviceOnly) of \(count) voters reach it")
        }
        if cluster.outlivedLease.contains(node) {
            return Hold(
                rule: .peersReachPrimary,
                evidence: "\(node) is not heard, and peers reached its service after its lease "
                    + "had ended: nothing fences it")
        }
        return Hold(
            rule: .noQuorum,
            evidence: "\(node) is not heard; \(votes.heard) of \(count) voters are, "
                + "\(cluster.cluster.quorumSize) are needed")
    }

    private mutating func failOver(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) {
        guard isSettled(id, cluster, now) else { return }
        if let hold = holdOfStrangers(id, cluster, now) { return setHold(hold, id, now) }
        if let hold = brake(id, cluster, now) {
            // Leaving a cluster alone must never be what keeps it out of service.
            if hold.rule.sparesService, isFencedHere(id, cluster, now),
                cluster.maintenance == nil, cluster.nodeMaintenance[cluster.primary] == nil,
                (try? move(id, .restart, RunTrigger.fencedHere, cluster, now)) != nil
            {
                return
            }
            return setHold(hold, id, now)
        }
        let isFenced = isFencedHere(id, cluster, now)
        let trigger = isFenced ? RunTrigger.fencedHere : trigger(id, cluster, now)
        let kind: PlanKind =
            cluster.policy.onServiceFailure == .restart && mayRestart(id, cluster, now)
            ? .restart : .failover
        do {
            try move(id, kind, trigger, cluster, now)
        } catch {
            // Better started again where it is than not at all.
            if error.rule == .noEligibleTarget || error.rule == .mayLoseWrites,
                mayRestart(id, cluster, now),
                (try? move(id, .restart, trigger, cluster, now)) != nil
            {
                return
            }
            setHold(Hold(rule: error.rule, evidence: error.evidence), id, now)
        }
    }

    private mutating func move(
        _ id: ClusterID, _ kind: PlanKind, _ trigger: RunTrigger, _ cluster: ClusterState,
        _ now: Moment
    ) throws(PlanRefusal) {
        // One that may have become primary is the only one that may be.
        if let node = cluster.inDoubt { startAgain(node, id, cluster, now) }
        let plan = try plan(
            id,
            PlanRequest(
                kind: kind, triggerReason: trigger.rawValue, targetNodeID: cluster.inDoubt), now)
        if kind.isAutomaticFailover(trigger) { try passFleetBrake(id, now) }
        setHold(nil, id, now)
        start(
            plan, kind: kind, trigger: trigger, by: "continuity", reason: "",
            targetIsFixed: cluster.inDoubt != nil, id, now)
    }

    /// Whether the failure was seen by this process, and after the last run had its effect. What
    /// the journal or an older report says is not a reason to move.
    private func isSettled(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Bool {
        guard isHeard(cluster.primary, in: id, now) else { return !isYoung(id, now) }
        let seen = observations[id]?.nodes[cluster.primary]
        // It is only failed still, until it has been well often enough.
        if let service = seen?.report?.service, service.state == .running,
            service.role == .primary
        {
            return false
        }
        guard let heardAt = seen?.heardAtMs,
            let settledAt = observations[id]?.settledAtMs
        else { return true }
        return heardAt > settledAt
    }

    /// A node that was stopped while it became primary is started: only then it can tell what it
    /// is, and only it may be primary.
    private mutating func startAgain(
        _ node: NodeID, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) {
        guard isHeard(node, in: id, now), let seen = observations[id]?.nodes[node],
            seen.report?.service.state == .stopped, now.monotonicMs >= seen.upkeepNotBeforeMs,
            !cluster.upkeep.values.contains(where: { $0.nodeID == node })
        else { return }
        let key = OperationKey("upkeep-\(state.head.seq + 1)/\(node)/restart")
        intend(
            .command(
                .restart, on: node, key: key, timeoutMs: RunScript.restartTimeoutMs,
                onFailure: .continue),
            id, now)
    }

    /// An order of a run that has ended and may still make a node primary.
    func lateOrder(_ cluster: ClusterState) -> PlanRefusal? {
        let late = cluster.upkeep.values.filter { $0.runID != nil && $0.makesPrimary }
            .min { $0.key < $1.key }
        guard let late else { return nil }
        return PlanRefusal(
            rule: .runActive, evidence: "the order \(late.key) is not answered yet")
    }

    /// The first rule, apart from the planner's, that keeps the cluster where it is.
    func brake(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Hold? {
        let policy = cluster.policy
        if !cluster.wasHealthy {
            return Hold(
                rule: .neverHealthy,
                evidence: "\(cluster.primary) was never seen healthy as primary")
        }
        if let hold = holdOfSuspension(cluster) { return hold }
        switch policy.strategy {
        case .manual:
            return Hold(
                rule: .strategyManual, evidence: "the policy moves only when a person asks")
        case .scheduled:
            return Hold(
                rule: .strategyScheduled, evidence: "the policy moves only at an arranged time",
                earliestAtMs: cluster.scheduled?.atMs)
        case .automatic, .quorumBased: break
        }
        if let window = policy.freezeWindows.first(where: { $0.contains(utcMs: now.utcMs) }) {
            return Hold(
                rule: .freezeWindow, evidence: window.reason, earliestAtMs: window.untilMs)
        }
        if let late = lateOrder(cluster) { return Hold(rule: late.rule, evidence: late.evidence) }
        if let hold = cluster.cooldown(at: now) { return hold }
        let notBefore = observations[id]?.nextRunNotBeforeMs ?? 0
        if now.monotonicMs < notBefore, let last = cluster.lastRun {
            return Hold(
                rule: .retryBackoff,
                evidence: "\(last.runID) ended as \(last.state.rawValue): \(last.reason)",
                earliestAtMs: last.finishedAtMs +| retryPauseMs(cluster))
        }
        return nil
    }

    func retryPauseMs(_ cluster: ClusterState) -> Int64 {
        let doublings = min(max(0, cluster.failedRunsInRow - 1), 10)
        return min(Self.retryBackoffMs.lowerBound << doublings, Self.retryBackoffMs.upperBound)
    }

    private func trigger(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> RunTrigger {
        isHeard(cluster.primary, in: id, now) ? .serviceFailed : .nodeUnreachable
    }

    /// Whether the service is only stopped because its own node fenced it when its lease ended.
    private func isFencedHere(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Bool {
        let service = observations[id]?.nodes[cluster.primary]?.report?.service
        return isHeard(cluster.primary, in: id, now) && service?.state == .stopped
            && service?.isFenced == true && cluster.inDoubt == nil
    }

    func mayRestart(_ id: ClusterID, _ cluster: ClusterState, _ now: Moment) -> Bool {
        guard isHeard(cluster.primary, in: id, now), cluster.inDoubt == nil else { return false }
        // That says nothing of the service's health.
        if isFencedHere(id, cluster, now) { return true }
        let recent = cluster.restartsAtMs.filter { now.utcMs -| $0 < Self.restartWindowMs }
        return recent.count < cluster.policy.restartAttempts
    }

    mutating func setHold(_ hold: Hold?, _ id: ClusterID, _ now: Moment) {
        guard state.clusters[id]?.hold != hold else { return }
        emit(.holdChanged(HoldChanged(hold: hold)), cluster: id, now)
        if let hold, state.clusters[id]?.isQuiet != true, !isToldAlready(hold, id) {
            queueAlert(
                type: "continuity.hold.set", severity: .warning, cluster: id,
                subject: hold.rule.rawValue,
                summary: "\(id) is not moved: \(hold.rule.rawValue) (\(hold.evidence))",
                data: ["rule": .string(hold.rule.rawValue), "evidence": .string(hold.evidence)],
                discriminator: String(state.head.seq), now)
        }
    }

    /// The pause before each further retry is no news beside the end of the run that it follows.
    private func isToldAlready(_ hold: Hold, _ id: ClusterID) -> Bool {
        hold.rule == .retryBackoff && (state.clusters[id]?.failedRunsInRow ?? 0) > 1
    }

    // MARK: On request

    mutating func handle(_ request: OperatorRequest, _ now: Moment) {
        let id = request.clusterID
        guard let cluster = served(id) else { return reply(.unknownCluster(id)) }
        // Who breaks the glass goes past a pause, never past what keeps two primaries apart.
        if !request.isBreakGlass, let refusal = refusalOfPause(cluster) {
            return reply(.refused(refusal))
        }
        do throws(PlanRefusal) {
            let plan = try requestedPlan(request, cluster, trigger: RunTrigger.requested, now)
            reply(try startOrAsk(request, plan, trigger: RunTrigger.requested, now))
        } catch {
            reply(.refused(error))
        }
    }

    /// The plan of a move that somebody wants.
    /// - Throws: the first rule that stands against it.
    func requestedPlan(
        _ request: OperatorRequest, _ cluster: ClusterState, trigger: RunTrigger, _ now: Moment
    ) throws(PlanRefusal) -> Plan {
        let id = request.clusterID
        if let run = cluster.run {
            throw PlanRefusal(rule: .runActive, evidence: "\(run.runID) is under way")
        }
        if let refusal = refusalOfState(request, id, cluster, now) { throw refusal }
        let status = cluster.status(of: cluster.primary)
        if request.kind == .switchover, status != .healthy {
            throw PlanRefusal(
                rule: trigger == RunTrigger.scheduled ? .primaryUnwell : .noEligibleTarget,
                evidence: "\(cluster.primary) is \(status.rawValue) and cannot hand over; request "
                    + "a failover")
        }
        let plan = try plan(
            id,
            PlanRequest(
                kind: request.kind,
                triggerReason: request.expectedPlan?.triggerReason ?? trigger.rawValue,
                targetNodeID: request.targetNodeID,
                acceptsDataLoss: request.acceptsDataLoss || request.isBreakGlass), now)
        try plan.mustBe(request.expectedPlan)
        if !request.isBreakGlass, let refusal = cluster.sloRefusal(of: plan, at: now) {
            throw refusal
        }
        return plan
    }

    /// What stands against a move that somebody wants, whatever its plan would be.
    func refusalOfState(
        _ request: OperatorRequest, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> PlanRefusal? {
        lateOrder(cluster) ?? doubt(request, id, cluster, now)
            ?? refusalOfStrangers(request, id, cluster, now)
    }

    /// While a node may have become primary, a person may name another only when its lease is
    /// over.
    private func doubt(
        _ request: OperatorRequest, _ id: ClusterID, _ cluster: ClusterState, _ now: Moment
    ) -> PlanRefusal? {
        guard let node = cluster.inDoubt, request.targetNodeID != node else { return nil }
        if request.targetNodeID != nil, now.monotonicMs >= leaseEndMs(node, id) { return nil }
        return PlanRefusal(
            rule: .noEligibleTarget,
            evidence: "\(node) may have become primary: name it as the target, or fence it and "
                + "wait until its lease is over")
    }

    // MARK: Planning and starting

    /// The cluster as it is now, for the planner: roles and statuses by the journal, lag by the
    /// last report.
    package func snapshot(_ id: ClusterID) -> Cluster? {
        guard let state = state.clusters[id] else { return nil }
        var cluster = state.cluster
        for index in cluster.nodes.indices {
            let node = cluster.nodes[index]
            cluster.nodes[index].role = state.role(of: node)
            cluster.nodes[index].status = state.status(of: node.nodeID)
            cluster.nodes[index].inMaintenance = state.nodeMaintenance[node.nodeID] != nil
            cluster.nodes[index].targetFailure = state.targetFailures[node.nodeID]?.reason
            cluster.nodes[index].lagMs =
                observations[id]?.nodes[node.nodeID]?.report?.service.lagMs
        }
        return cluster
    }

    /// - Parameter scenario: what a drill pretends to have happened.
    func plan(
        _ id: ClusterID, _ request: PlanRequest, pretending scenario: DrillScenario? = nil,
        _ now: Moment
    ) throws(PlanRefusal) -> Plan {
        guard let cluster = state.clusters[id], var snapshot = snapshot(id) else {
            throw PlanRefusal(rule: .noEligibleTarget, evidence: "unknown cluster \(id)")
        }
        scenario?.pretend(of: cluster.primary, in: &snapshot)
        // Its agent carries out one order after the other: a promotion would wait for the rejoin,
        // and the rejoin perhaps for the primary that is lost.
        let rejoining = Set(
            cluster.upkeep.values.filter { $0.command == .rejoin }.compactMap(\.nodeID))
        for index in snapshot.nodes.indices
        where rejoining.contains(snapshot.nodes[index].nodeID)
            && snapshot.nodes[index].status == .healthy
        {
            snapshot.nodes[index].status = .degraded
        }
        var request = request
        request.votersHeard = heardNodes(in: id, now).count
        for index in snapshot.nodes.indices
        where state.clusters[id]?.targetFailures[snapshot.nodes[index].nodeID]?
            .isOver(atMs: now.utcMs) == true
        {
            snapshot.nodes[index].targetFailure = nil
        }
        let plan = try Planner.plan(
            cluster: snapshot, policy: cluster.policy, request: request,
            estimates: cluster.estimates, digest: digest)
        if !request.acceptsDataLoss, let refusal = possibleLoss(of: plan, id, now) {
            throw refusal
        }
        return plan
    }

    /// Makes the plan of a run anew with the scores of its policies. Where none can be made any
    /// more, the run goes on with the one that it has.
    mutating func replan(
        _ run: RunState, _ scores: [TargetScores], _ id: ClusterID, _ now: Moment
    ) {
        let request = PlanRequest(
            kind: run.kind, triggerReason: run.plan.triggerReason, scores: scores)
        emit(
            .runReplanned(
                RunReplanned(
                    runID: run.runID, fromNodeID: run.plan.failoverTargetID,
                    plan: (try? plan(id, request, now)) ?? run.plan)),
            cluster: id, now)
    }

    /// Goes on with the next eligible target, or ends the run where there is none.
    mutating func retarget(
        _ run: RunState, _ reason: String, _ id: ClusterID, _ now: Moment
    ) -> String? {
        var request = PlanRequest(kind: run.kind, triggerReason: run.plan.triggerReason)
        request.excluded = run.failedTargets.union([run.plan.failoverTargetID])
        request.acceptsDataLoss = run.mayLoseData
        do throws(PlanRefusal) {
            let next = try plan(id, request, now)
            emit(
                .runReplanned(
                    RunReplanned(
                        runID: run.runID, fromNodeID: run.plan.failoverTargetID, plan: next,
                        reason: reason)),
                cluster: id, now)
            return nil
        } catch {
            return "\(reason); and nobody else can: \(error.evidence)"
        }
    }

    mutating func start(
        _ plan: Plan, kind: PlanKind, trigger: RunTrigger, by actor: String, reason: String,
        targetIsFixed: Bool, approval: PendingApproval? = nil, _ id: ClusterID, _ now: Moment
    ) {
        guard let cluster = state.clusters[id] else { return }
        cancelDrill(id, because: "a real \(kind.rawValue) of \(id) begins", now)
        let seed = Array("\(state.origin)/\(plan.planID)/\(state.head.seq + 1)".utf8)
        let runID = RunID("run-" + digest.hex(seed).prefix(16))
        let evidence = cluster.cluster.nodes
            .map { "\($0.nodeID) \(cluster.status(of: $0.nodeID).rawValue)" }
            .joined(separator: ", ")
        emit(
            .runRequested(
                RunRequested(
                    runID: runID, kind: kind, trigger: trigger, plan: plan, requestedBy: actor,
                    reason: reason, deadlineAtMs: now.utcMs +| plan.maxFailoverTimeMs,
                    evidence: evidence, targetIsFixed: targetIsFixed,
                    approvalID: approval?.approvalID, acceptedLoss: approval?.dataLoss,
                    isBreakGlass: approval?.kind == .breakGlass)),
            cluster: id, actor: actor, now)
        observations[id]?.runDeadlineMs = now.monotonicMs +| plan.maxFailoverTimeMs
        // A denial that repeats itself was told; the run's end tells what is new.
        guard !cluster.retriesRefusal(of: plan, by: trigger) else { return }
        queueAlert(
            type: "continuity.run.started", severity: .warning, cluster: id,
            subject: runID.rawValue,
            summary: "\(kind.rawValue) of \(id) from \(plan.primaryNodeID) to "
                + "\(plan.failoverTargetID) begins (\(trigger))",
            data: ["plan_id": .string(plan.planID.rawValue), "run_id": .string(runID.rawValue)],
            discriminator: "started", now)
    }
}
