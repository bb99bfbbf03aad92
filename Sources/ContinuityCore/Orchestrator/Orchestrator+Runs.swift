extension Orchestrator {
    /// Does everything of the active run that can be done now.
    mutating func advance(_ id: ClusterID, _ now: Moment) {
        for _ in 0..<runStepsMax {
            guard let run = state.clusters[id]?.run,
                let surroundings = surroundings(of: run, id, now)
            else { return }
            let step = RunScript(run: run, surroundings: surroundings).next()
            if step == .wait { return }
            apply(step, of: run, id, now)
        }
        guard let run = state.clusters[id]?.run else { return }
        let fault = "\(run.runID) took more than \(runStepsMax) steps at once"
        quarantine(id, run, fault, now)
        end(run, .failed, "internal fault: \(fault)", id, now)
        setHold(state.clusters[id]?.holdOfQuarantine, id, now)
    }

    private func surroundings(
        of run: RunState, _ id: ClusterID, _ now: Moment
    ) -> RunSurroundings? {
        guard let cluster = state.clusters[id], let snapshot = snapshot(id) else { return nil }
        let primary = observations[id]?.nodes[run.plan.primaryNodeID]?.report?.service
        var surroundings = RunSurroundings(
            cluster: snapshot, policy: cluster.policy,
            heard: Set(heardNodes(in: id, now)),
            leaseHasRunOut: leaseHasRunOut(of: run, id, now),
            deadlineHasPassed: now.monotonicMs >= observations[id]?.runDeadlineMs ?? .max,
            isStillListening: isStillListening(id, now), replicas: cluster.replicas,
            mayHold: cluster.possibleHolders, floorBytes: cluster.termFloorBytes,
            promiseRules: cluster.promiseRules, epoch: state.epoch)
        surroundings.primaryHangs = primary?.state == .failing
        surroundings.primaryIsStopped =
            primary?.state == .stopped && isHeard(run.plan.primaryNodeID, in: id, now)
        surroundings.followWaitIsOver = followWaitIsOver(of: run, id, now)
        surroundings.streaming = Set(
            surroundings.heard.filter {
                let seen = observations[id]?.nodes[$0]
                let service = seen?.report?.service
                // What was said before tells of the old primary.
                return (seen?.heardAtMs ?? 0) > observations[id]?.promotedAtMs ?? 0
                    && service?.state == .running && service?.role == .secondary
                    && service?.streaming == true
            })
        return surroundings
    }

    /// How long a run waits at most for a secondary to follow its target, in milliseconds. Clients
    /// write meanwhile; only the run's end waits.
    static let followWaitMs: Int64 = 5_000
    /// What is kept of the run's time for what comes after the wait.
    private static let afterFollowWaitMs: Int64 = 3_000

    private func followWaitIsOver(of run: RunState, _ id: ClusterID, _ now: Moment) -> Bool {
        guard let cluster = state.clusters[id], run.promoted,
            cluster.status(of: run.plan.failoverTargetID) != .failed,
            let since = observations[id]?.promotedAtMs
        else { return true }
        let deadline = observations[id]?.runDeadlineMs ?? .max
        return now.monotonicMs
            >= min(since +| Self.followWaitMs, deadline -| Self.afterFollowWaitMs)
    }

    /// Whether this process has begun to listen only just now and has not heard every node yet.
    func isStillListening(_ id: ClusterID, _ now: Moment) -> Bool {
        guard let cluster = state.clusters[id] else { return true }
        return isYoung(id, now) && heardNodes(in: id, now).count < cluster.cluster.nodes.count
    }

    private func leaseHasRunOut(of run: RunState, _ id: ClusterID, _ now: Moment) -> Bool {
        let node = run.plan.primaryNodeID
        guard now.monotonicMs >= leaseEndMs(node, id) else { return false }
        if !run.isBreakGlass, livesOn(node, id, now) { return false }
        // An agent that is heard and still reports its service running has not fenced.
        guard isHeard(node, in: id, now),
            let service = observations[id]?.nodes[node]?.report?.service
        else { return true }
        return service.state == .stopped
    }

    /// Whether anything shows that a node's service is alive although its lease is over. One voter
    /// that reaches it is enough, a minority or not.
    private func livesOn(_ node: NodeID, _ id: ClusterID, _ now: Moment) -> Bool {
        guard let cluster = state.clusters[id] else { return true }
        let votes = votes(on: node, in: id, now)
        return cluster.outlivedLease.contains(node) || cluster.unleased.contains(node)
            || votes.reachable + votes.serviceOnly > 0
    }

    /// When the node's last lease and the clock margin are over, on the monotonic clock.
    package func leaseEndMs(_ node: NodeID, _ id: ClusterID) -> Int64 {
        guard let cluster = state.clusters[id], let seen = observations[id]?.nodes[node] else {
            return .max
        }
        return seen.mayActUntilMs +| cluster.policy.lease.marginMs
    }

    private mutating func apply(
        _ step: RunStep, of run: RunState, _ id: ClusterID, _ now: Moment
    ) {
        switch step {
        case .wait: break
        case .intend(let operations):
            for operation in operations { intend(operation, id, now) }
        case .replan(let scores): replan(run, scores, id, now)
        case .retarget(let reason):
            if let failure = retarget(run, reason, id, now) { end(run, .failed, failure, id, now) }
        case .admit(let verdicts):
            let policy = state.clusters[id]?.policy.policyID ?? ""
            emit(
                .runAdmitted(
                    RunAdmitted(runID: run.runID, policyID: policy, verdicts: verdicts)),
                cluster: id, now)
        case .awaitLease:
            emit(
                .leaseAwaited(
                    LeaseAwaited(
                        runID: run.runID, nodeID: run.plan.primaryNodeID,
                        remainingMs: max(
                            0, leaseEndMs(run.plan.primaryNodeID, id) -| now.monotonicMs)
                    )),
                cluster: id, now)
        case .proveFence(let proof, let detail):
            emit(
                .fenceProven(
                    FenceProven(
                        runID: run.runID, nodeID: run.plan.primaryNodeID, proof: proof,
                        detail: detail)),
                cluster: id, now)
        case .promoted: promoted(run, id, now)
        case .shifted:
            supersedeUndone(by: run, id, now)
            weightsShifted(run, id, now)
        case .notify: announce(run, id, now)
        case .verified(let verification):
            emit(
                .runVerified(RunVerified(runID: run.runID, verification: verification)),
                cluster: id, now)
        case .rollBack(let reason):
            emit(
                .rollbackStarted(RollbackStarted(runID: run.runID, reason: reason)), cluster: id,
                now)
        case .finish(let outcome, let reason): end(run, outcome, reason, id, now)
        }
    }

    private mutating func promoted(_ run: RunState, _ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        supersedeUndone(by: run, id, now)
        emit(
            .primaryChanged(
                PrimaryChanged(
                    runID: run.runID, from: run.plan.primaryNodeID,
                    to: run.plan.failoverTargetID, term: cluster.term + 1)),
            cluster: id, now)
        observations[id]?.promotedAtMs = now.monotonicMs
    }

    private mutating func announce(_ run: RunState, _ id: ClusterID, _ now: Moment) {
        let alert = promotionAlert(of: run, id, now)
        emit(.alertQueued(AlertQueued(alert: alert)), cluster: id, now)
        for channel in state.pendingAlerts[alert.alertID]?.channels.sorted() ?? [] {
            release(.deliver(alert, channel: channel))
        }
    }

    func promotionAlert(of run: RunState, _ id: ClusterID, _ now: Moment) -> Alert {
        Alert(
            alertID: run.promotionAlertID, type: "continuity.run.promoted", severity: .critical,
            clusterID: id, subject: run.runID.rawValue,
            summary: run.kind == .rebalance
                ? "the load of \(id) is divided anew: "
                    + (run.plan.weights ?? []).map { "\($0.nodeID) \($0.weight)" }
                    .joined(separator: ", ")
                : run.kind == .restart
                    ? "\(id): the service on \(run.plan.primaryNodeID) was started again"
                    : "\(run.plan.failoverTargetID) is the primary of \(id) now, "
                        + "instead of \(run.plan.primaryNodeID)",
            atMs: now.utcMs,
            data: [
                "run_id": .string(run.runID.rawValue),
                "plan_id": .string(run.plan.planID.rawValue),
                "kind": .string(run.kind.rawValue),
                "from": .string(run.plan.primaryNodeID.rawValue),
                "to": .string(run.plan.failoverTargetID.rawValue),
            ])
    }

    private mutating func end(
        _ run: RunState, _ outcome: RunOutcome, _ reason: String, _ id: ClusterID, _ now: Moment
    ) {
        let finished = RunFinished(
            runID: run.runID, state: outcome, reason: reason,
            phasesMs: run.phasesMs(endMs: now.utcMs),
            durationMs: max(0, now.utcMs -| run.requestedAtMs),
            rtoMs: (state.clusters[id]?.policy.rtoS ?? 0) * 1000)
        let isKnown =
            outcome == .refused
            && state.clusters[id]?.repeatsRefusal(of: run, because: reason) == true
        leaveUndone(by: run, outcome, id, now)
        emit(.runFinished(finished), cluster: id, now)
        observations[id]?.runDeadlineMs = nil
        observations[id]?.settledAtMs = now.monotonicMs
        if outcome != .committed, let cluster = state.clusters[id] {
            let pauseMs = retryPauseMs(cluster)
            observations[id]?.nextRunNotBeforeMs = now.monotonicMs + pauseMs
        }
        if !isKnown { announceEnd(of: run, finished, id, now) }
    }

    private mutating func announceEnd(
        of run: RunState, _ finished: RunFinished, _ id: ClusterID, _ now: Moment
    ) {
        let lacksFollower =
            run.verification?.deductions.contains { $0.check == .freshness } == true
        let isGood = finished.state == .committed && !finished.exceedsRTO && !lacksFollower
        let slow =
            finished.exceedsRTO
            ? "; it took \(finished.durationMs) ms, more than rto_s allows "
                + "(\(finished.rtoMs) ms), most of it in \(finished.bottleneck?.rawValue ?? "-")"
            : ""
        queueAlert(
            type: "continuity.run.\(finished.state.rawValue)",
            severity: isGood ? .info : finished.state == .committed ? .warning : .critical,
            cluster: id, subject: run.runID.rawValue,
            summary: "\(run.kind.rawValue) of \(id) \(finished.state.rawValue)"
                + (finished.reason.isEmpty ? "" : ": \(finished.reason)") + slow
                + (finished.state == .committed && lacksFollower
                    ? "; no secondary takes changes from \(run.plan.failoverTargetID)" : ""),
            data: [
                "run_id": .string(run.runID.rawValue), "reason": .string(finished.reason),
                "duration_ms": .int(finished.durationMs), "rto_ms": .int(finished.rtoMs),
                "confidence": run.verification.map { .int($0.confidence) } ?? .null,
            ],
            discriminator: "finished", now)
    }

    // MARK: Operations

    /// Journals the intent and hands the effect to the shell, which holds it back until the
    /// entry is durable.
    mutating func intend(_ operation: Operation, _ id: ClusterID, _ now: Moment) {
        emit(.operationIntended(OperationIntended(operation: operation)), cluster: id, now)
        dispatch(operation, id, now)
    }

    /// Journals what a hook is about to do. A hook whose result nobody waits for any more, because
    /// its run is over or its call was given up, may do nothing.
    mutating func intend(_ effect: HookEffectIntended, in id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return reply(.effectTooLate) }
        let isOfRun =
            cluster.run?.operations[effect.operation]?.kind == .hook
            && cluster.run?.results[effect.operation] == nil
        guard isOfRun || awaitsUndone(effect.operation, cluster) else {
            return reply(.effectTooLate)
        }
        emit(.hookEffectIntended(effect), cluster: id, now)
        reply(.effectIntended)
    }

    mutating func dispatch(_ operation: Operation, _ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        switch operation.kind {
        case .command: dispatchCommand(operation, cluster, now)
        case .hook:
            let undone = cluster.undonePlace(of: operation.key)
                .flatMap { cluster.undoneHooks[$0]?.run }
            guard let run = operation.runID == nil ? undone : cluster.run,
                let binding = binding(of: operation, cluster)
            else {
                return finish(
                    operation.key, in: id,
                    OperationResult(
                        outcome: .failed, detail: "the policy does not bind it any more"), now)
            }
            release(.hook(hookCall(operation, binding, run, cluster, now)))
        }
    }

    package func binding(of operation: Operation, _ cluster: ClusterState) -> HookBinding? {
        guard let stage = operation.stage else { return nil }
        // A pack may stand at a stage more than once, each time with its own configuration and
        // grant.
        if let place = operation.place {
            let bindings = cluster.policy.bindings(at: stage, place.timing)
            guard bindings.indices.contains(place.index),
                bindings[place.index].pack == operation.pack
            else { return nil }
            return bindings[place.index]
        }
        // A journal of before operations named the place has it in the key alone.
        for timing in HookBinding.Timing.allCases {
            let bindings = cluster.policy.bindings(at: stage, timing)
            for (index, binding) in bindings.enumerated() where binding.pack == operation.pack {
                let place = RunScript.place(of: binding, index)
                if operation.key.rawValue.contains("/\(place)/") { return binding }
            }
        }
        return nil
    }

    private mutating func dispatchCommand(
        _ operation: Operation, _ cluster: ClusterState, _ now: Moment
    ) {
        let id = cluster.cluster.clusterID
        guard let nodeID = operation.nodeID, let name = operation.command,
            let url = cluster.cluster.node(nodeID)?.agentURL
        else {
            return finish(
                operation.key, in: id,
                OperationResult(outcome: .unreachable, detail: "the node has no agent_url"), now)
        }
        let leaseMs = operation.makesPrimary ? cluster.policy.lease.durationMs : nil
        if let leaseMs {
            observations[id]?.nodes[nodeID]?
                .noteStart(untilMs: now.monotonicMs +| operation.timeoutMs +| leaseMs)
        }
        let source = operation.sourceNodeID
        release(
            .command(
                AgentCommand(
                    key: operation.key, clusterID: id, nodeID: nodeID, epoch: state.epoch,
                    instanceID: state.instanceID, name: name,
                    primaryAddress: name == .status
                        ? nil : source.flatMap { cluster.cluster.node($0)?.serviceAddress },
                    primaryNodeID: name == .status ? nil : source, leaseMs: leaseMs,
                    timeoutMs: operation.timeoutMs,
                    notAfterMs: observations[id]?.nodes[nodeID]?
                        .agentClockMs(atMs: now.monotonicMs)
                        .map { min($0 +| operation.timeoutMs, WireBounds.integerMax) },
                    deniesPromisesTo: name == .status ? source : nil,
                    deniesPromisesMs: name == .status && source != nil
                        ? cluster.policy.maxFailoverTimeS *| 1000 +| RunScript.promoteTimeoutMs
                        : nil,
                    rejoin: name == .rejoin ? cluster.policy.rejoin ?? .keep : nil),
                agentURL: url))
    }

    mutating func finish(
        _ key: OperationKey, in id: ClusterID, _ result: OperationResult, _ now: Moment
    ) {
        if finishInDrill(key, in: id, result, now) { return }
        guard let cluster = state.clusters[id],
            let operation = cluster.run?.operations[key] ?? cluster.upkeep[key],
            cluster.run?.results[key] == nil
        else { return }
        if goesOn(operation, result, id, now) { return }
        emit(
            .operationFinished(
                OperationFinished(
                    operation: key, runID: operation.runID, stage: operation.stage,
                    result: result)),
            cluster: id, now)
        if operation.makesPrimary, let node = operation.nodeID, !awaitsStart(of: node, id) {
            observations[id]?.nodes[node]?.settleStart(
                result.outcome, leaseMs: cluster.policy.lease.durationMs, atMs: now.monotonicMs)
        }
        noteDivergence(of: operation, result, id, now)
        noteUpkeepResult(of: operation, result, id, now)
        noteHookResult(of: operation, result, id, now)
        evaluate(id, now)
    }

    /// Whether another order that may make this node's service a primary is not answered yet.
    private func awaitsStart(of node: NodeID, _ id: ClusterID) -> Bool {
        guard let cluster = state.clusters[id] else { return false }
        let pending = (cluster.run?.pendingOperations ?? []) + Array(cluster.upkeep.values)
        return pending.contains { $0.makesPrimary && $0.nodeID == node }
    }

    /// Does again what waited for its context since the start.
    mutating func dispatchDeferred(_ id: ClusterID, _ now: Moment) {
        guard let waiting = observations[id]?.deferredOperations, !waiting.isEmpty else { return }
        let listens = isStillListening(id, now)
        observations[id]?.deferredOperations = []
        for operation in waiting {
            if operation.kind == .hook {
                guard !listens else {
                    observations[id]?.deferredOperations.append(operation)
                    continue
                }
                if state.clusters[id]?.run?.runID == operation.runID {
                    dispatch(operation, id, now)
                } else if operation.runID == nil {
                    finish(
                        operation.key, in: id,
                        OperationResult(
                            outcome: .inDoubt,
                            detail: "continuity was restarted while it ran, and a run has begun"),
                        now)
                }
            } else if operation.runID != nil,
                operation.runID != state.clusters[id]?.run?.runID
            {
                // Nor may the order of a run that has ended meanwhile make anybody a primary.
                finish(
                    operation.key, in: id,
                    OperationResult(
                        outcome: .inDoubt,
                        detail: "continuity was restarted while it ran, and its run has ended"),
                    now)
            } else if operation.nodeID.map({ isHeard($0, in: id, now) }) == true {
                dispatch(operation, id, now)
            } else if listens {
                observations[id]?.deferredOperations.append(operation)
            } else {
                finish(
                    operation.key, in: id,
                    OperationResult(
                        outcome: .inDoubt,
                        detail: "continuity was restarted while it ran, and its node is not heard"
                    ), now)
            }
        }
    }

    /// After a start: effects whose result is not known are asked for again under the same key,
    /// which agents and the alert outbox recognise; a hook that must not be repeated is in doubt.
    mutating func resume(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        let pending =
            (cluster.run?.pendingOperations ?? [])
            + cluster.upkeep.values.sorted { $0.key < $1.key }
        for operation in pending {
            // Hooks of a run that has ended cannot change anything any more.
            // Nor may an order of such a run make anybody a primary: much may have changed since.
            let isOver = operation.runID != nil && operation.runID != cluster.run?.runID
            let isOrphan = isOver && (operation.kind == .hook || operation.makesPrimary)
            if operation.repeatable, !isOrphan {
                // An order that makes a primary has an end on its node's clock, which is not known yet.
                if operation.kind == .hook || operation.makesPrimary {
                    observations[id]?.deferredOperations.append(operation)
                } else {
                    dispatch(operation, id, now)
                }
            } else {
                finish(
                    operation.key, in: id,
                    OperationResult(
                        outcome: .inDoubt,
                        detail: "continuity was restarted while it ran, and it must not run twice"
                    ), now)
            }
        }
    }
}
