/// Drills: the same planner, run machine and hooks as in earnest, in a slot of their own. Readings
/// go through; every effect is answered here with a stub, so none can leave. A drill holds no
/// lease, changes no primary, and gives way to a real run at once.
extension Orchestrator {
    // MARK: Beginning and end

    mutating func handle(_ request: DrillRequest, _ now: Moment) {
        let id = request.clusterID
        guard let cluster = served(id) else { return reply(.unknownCluster(id)) }
        if let refusal = refusal(of: request, cluster) { return reply(.refused(refusal)) }
        do throws(PlanRefusal) {
            // The same way to a plan as in earnest: who is heard counts for the quorum, whatever is
            // pretended of the primary's service.
            let plan = try plan(
                id,
                PlanRequest(
                    kind: request.scenario.planKind,
                    triggerReason: request.scenario.trigger.rawValue,
                    targetNodeID: request.targetNodeID),
                pretending: request.scenario, now)
            try plan.mustBe(request.expectedPlan)
            startDrill(request, plan, cluster, now)
        } catch {
            reply(.refused(error))
        }
    }

    /// As ``replan(_:_:_:_:)``, within the drill.
    private mutating func replan(
        _ drill: DrillState, _ scores: [TargetScores], _ id: ClusterID, _ now: Moment
    ) {
        let plan = try? plan(
            id,
            PlanRequest(
                kind: drill.run.kind, triggerReason: drill.run.plan.triggerReason, scores: scores),
            pretending: drill.scenario, now)
        note(
            .runReplanned(
                RunReplanned(
                    runID: drill.run.runID, fromNodeID: drill.run.plan.failoverTargetID,
                    plan: plan ?? drill.run.plan)), id, now)
    }

    private func refusal(of request: DrillRequest, _ cluster: ClusterState) -> PlanRefusal? {
        if let run = cluster.run {
            return PlanRefusal(rule: .runActive, evidence: "\(run.runID) is under way")
        }
        // One at a time in the whole process: drills share one sandbox worker, so that they
        // never take one from a real run.
        for other in state.clusters.values.sorted(by: {
            $0.cluster.clusterID < $1.cluster.clusterID
        }) {
            guard let drill = other.drill else { continue }
            return PlanRefusal(
                rule: .drillActive,
                evidence: "\(drill.drillID) of \(other.cluster.clusterID) is under way")
        }
        guard cluster.status(of: cluster.primary) == .healthy else {
            return PlanRefusal(
                rule: .primaryUnwell,
                evidence: "\(cluster.primary) is \(cluster.status(of: cluster.primary).rawValue); "
                    + "a drill begins with a healthy primary")
        }
        return nil
    }

    private mutating func startDrill(
        _ request: DrillRequest, _ plan: Plan, _ cluster: ClusterState, _ now: Moment
    ) {
        let id = request.clusterID
        let seed = Array("drill/\(state.origin)/\(plan.planID)/\(state.head.seq + 1)".utf8)
        let drillID = RunID("drill-" + digest.hex(seed).prefix(16))
        emit(
            .drillStarted(
                DrillStarted(
                    scenario: request.scenario,
                    run: RunRequested(
                        runID: drillID, kind: plan.kind, trigger: request.scenario.trigger,
                        plan: plan, requestedBy: request.requestedBy, reason: request.reason,
                        deadlineAtMs: now.utcMs +| plan.maxFailoverTimeMs,
                        evidence: "drill: \(request.scenario.rawValue) is only pretended",
                        targetIsFixed: request.targetNodeID != nil || request.expectedPlan != nil),
                    heldBy: wouldHold(request, plan, cluster, now),
                    caveats: caveats(request, plan, cluster, now))
            ),
            cluster: id, actor: request.requestedBy, now)
        observations[id]?.drillDeadlineMs = now.monotonicMs +| plan.maxFailoverTimeMs
        reply(.drillAccepted(drillID: drillID, planID: plan.planID))
        advanceDrill(id, now)
    }

    /// What would keep the cluster where it is in earnest: had its primary failed, or had somebody
    /// asked for the move.
    private func wouldHold(
        _ request: DrillRequest, _ plan: Plan, _ cluster: ClusterState, _ now: Moment
    ) -> Hold? {
        let id = request.clusterID
        switch request.scenario {
        case .primaryFailure:
            return holdOfStrangers(id, cluster, now) ?? brake(id, cluster, now)
                ?? fleetBrake(now).map { Hold(rule: $0.rule, evidence: $0.evidence) }
        case .switchover:
            let order = OperatorRequest(
                clusterID: id, kind: .switchover, targetNodeID: request.targetNodeID,
                reason: request.reason, requestedBy: Principal(actor: request.requestedBy))
            let refusal =
                refusalOfPause(cluster) ?? refusalOfState(order, id, cluster, now)
                ?? cluster.sloRefusal(of: plan, at: now)
            return refusal.map { Hold(rule: $0.rule, evidence: $0.evidence) }
        }
    }

    /// Where the earnest case would take another way than the drill.
    private func caveats(
        _ request: DrillRequest, _ plan: Plan, _ cluster: ClusterState, _ now: Moment
    ) -> [String] {
        var caveats: [String] = []
        switch request.scenario {
        case .primaryFailure:
            if cluster.policy.onServiceFailure == .restart,
                mayRestart(request.clusterID, cluster, now)
            {
                caveats.append(
                    "in earnest the service would first be restarted on \(plan.primaryNodeID): "
                        + "on_service_failure is 'restart'")
            }
            if request.targetNodeID != nil {
                caveats.append(
                    "a failure in earnest has its target chosen; here it was named: "
                        + "\(plan.failoverTargetID)")
            }
        case .switchover:
            let needed = cluster.policy.approvals?.needed(for: .switchover) ?? 0
            if needed > 0 {
                caveats.append(
                    "in earnest it would wait for \(needed) approval\(needed == 1 ? "" : "s")")
            }
        }
        return caveats
    }

    /// Ends a drill that is under way; without one it does nothing.
    mutating func cancelDrill(_ id: ClusterID, because reason: String, _ now: Moment) {
        guard state.clusters[id]?.drill != nil else { return }
        finishDrill(id, .cancelled, reason, now)
    }

    private mutating func finishDrill(
        _ id: ClusterID, _ outcome: DrillReport.State, _ detail: String, _ now: Moment
    ) {
        guard let cluster = state.clusters[id], let drill = cluster.drill else { return }
        let report = DrillReport(drill, of: cluster, outcome, detail: detail, atMs: now.utcMs)
        emit(.drillFinished(DrillFinished(report: report)), cluster: id, now)
        observations[id]?.drillDeadlineMs = nil
    }

    // MARK: The run machine

    mutating func advanceDrill(_ id: ClusterID, _ now: Moment) {
        for _ in 0..<2 * runStepsMax {
            guard let cluster = state.clusters[id], let drill = cluster.drill else { return }
            let surroundings = surroundings(of: drill, cluster, now)
            let step = RunScript(run: drill.run, surroundings: surroundings).next()
            if step == .wait { return }
            apply(step, of: drill, id, now)
        }
        guard let drill = state.clusters[id]?.drill else { return }
        let fault = "\(drill.drillID) took more than \(2 * runStepsMax) steps at once"
        tellInternalFault(fault, of: drill.drillID, id, now)
        // A drill moves nothing, so the cluster itself goes on.
        finishDrill(id, .failed, "internal fault: \(fault)", now)
    }

    private func surroundings(
        of drill: DrillState, _ cluster: ClusterState, _ now: Moment
    ) -> RunSurroundings {
        let id = cluster.cluster.clusterID
        let pretended = drill.pretended(cluster)
        var snapshot = snapshot(id) ?? cluster.cluster
        for index in snapshot.nodes.indices {
            snapshot.nodes[index].role = pretended.role(of: snapshot.nodes[index])
            snapshot.nodes[index].status = pretended.status(of: snapshot.nodes[index].nodeID)
        }
        return RunSurroundings(
            cluster: snapshot, policy: cluster.policy, heard: Set(heardNodes(in: id, now)),
            // Nobody waits for a lease that is only pretended to have lost its holder.
            leaseHasRunOut: true,
            deadlineHasPassed: now.monotonicMs >= observations[id]?.drillDeadlineMs ?? .max,
            isStillListening: false, replicas: cluster.replicas,
            mayHold: cluster.possibleHolders, floorBytes: cluster.termFloorBytes,
            promiseRules: cluster.promiseRules, epoch: state.epoch)
    }

    private mutating func apply(
        _ step: RunStep, of drill: DrillState, _ id: ClusterID, _ now: Moment
    ) {
        let run = drill.run
        switch step {
        case .wait: break
        case .intend(let operations): intend(operations, of: drill, id, now)
        case .replan(let scores): replan(drill, scores, id, now)
        case .retarget(let reason):
            finishDrill(id, .failed, "\(reason); the next target would be tried", now)
        case .admit(let verdicts):
            note(
                .runAdmitted(
                    RunAdmitted(
                        runID: run.runID, policyID: run.plan.policyID, verdicts: verdicts)),
                id, now)
        case .awaitLease:
            note(
                .leaseAwaited(
                    LeaseAwaited(
                        runID: run.runID, nodeID: run.plan.primaryNodeID, remainingMs: 0)),
                id, now)
        case .proveFence(let proof, let detail):
            note(
                .fenceProven(
                    FenceProven(
                        runID: run.runID, nodeID: run.plan.primaryNodeID, proof: proof,
                        detail: detail)), id, now)
        // Active/active clusters have no drills: the planner refuses them.
        case .shifted: break
        case .promoted:
            note(
                .primaryChanged(
                    PrimaryChanged(
                        runID: run.runID, from: run.plan.primaryNodeID,
                        to: run.plan.failoverTargetID,
                        term: (state.clusters[id]?.term ?? 0) + 1)), id, now)
        case .notify:
            note(.alertQueued(AlertQueued(alert: promotionAlert(of: run, id, now))), id, now)
        case .verified(let verification):
            note(
                .runVerified(RunVerified(runID: run.runID, verification: verification)), id, now)
        case .rollBack(let reason):
            note(.rollbackStarted(RollbackStarted(runID: run.runID, reason: reason)), id, now)
        case .finish(let outcome, let reason):
            switch outcome {
            case .committed: finishDrill(id, .passed, "", now)
            case .refused: finishDrill(id, .refused, reason, now)
            case .failed: finishDrill(id, .failed, reason, now)
            case .rolledBack: finishDrill(id, .failed, "\(reason); it would be undone", now)
            }
        }
    }

    /// Journals a step of the drill: it changes the drill's slot and nothing else.
    private mutating func note(_ step: JournalBody, _ id: ClusterID, _ now: Moment) {
        guard let drill = state.clusters[id]?.drill else { return }
        emit(.drillStep(DrillStep(drillID: drill.drillID, step: step)), cluster: id, now)
    }

    /// A node's service as the drill under way pretends it to be.
    package func pretendedInDrill(
        _ service: ServiceReport, of node: NodeID, in id: ClusterID
    ) -> ServiceReport {
        state.clusters[id]?.drill?.pretended(service, of: node) ?? service
    }

    // MARK: Operations

    /// All intents first, as in earnest; then the stubs answer.
    private mutating func intend(
        _ operations: [Operation], of drill: DrillState, _ id: ClusterID, _ now: Moment
    ) {
        for operation in operations {
            note(.operationIntended(OperationIntended(operation: operation)), id, now)
        }
        for operation in operations {
            guard let answer = dispatch(operation, of: drill, id, now) else { continue }
            finish(operation, answer, id, now)
        }
    }

    /// Lets a reading or a hook call go, or gives the stub that stands for an effect.
    private mutating func dispatch(
        _ operation: Operation, of drill: DrillState, _ id: ClusterID, _ now: Moment
    ) -> OperationResult? {
        guard let cluster = state.clusters[id] else { return nil }
        switch operation.kind {
        case .hook:
            guard let binding = binding(of: operation, cluster) else {
                return OperationResult(
                    outcome: .failed, detail: "the policy does not bind it any more")
            }
            if binding.skippedInDrills == true { return OperationResult(.skippedInDrill) }
            release(
                .hook(hookCall(operation, binding, drill.run, cluster, now, drill: drill)))
            return nil
        case .command:
            guard let node = operation.nodeID, let command = operation.command else { return nil }
            guard !command.isEffect else {
                let service = observations[id]?.nodes[node]?.report?.service
                return drill.stub(of: operation, service: service, epoch: state.epoch)
            }
            guard let url = cluster.cluster.node(node)?.agentURL else {
                return OperationResult(outcome: .unreachable, detail: "the node has no agent_url")
            }
            release(
                .command(
                    AgentCommand(
                        key: operation.key, clusterID: id, nodeID: node, epoch: state.epoch,
                        instanceID: state.instanceID, name: command, timeoutMs: operation.timeoutMs),
                    agentURL: url))
            return nil
        }
    }

    private mutating func finish(
        _ operation: Operation, _ result: OperationResult, _ id: ClusterID, _ now: Moment
    ) {
        guard let drill = state.clusters[id]?.drill, drill.run.results[operation.key] == nil
        else { return }
        note(
            .operationFinished(
                OperationFinished(
                    operation: operation.key, runID: operation.runID, stage: operation.stage,
                    result: drill.overlaid(result, of: operation))), id, now)
    }

    /// Takes the result of a drill's operation. `false`: it belongs to none.
    mutating func finishInDrill(
        _ key: OperationKey, in id: ClusterID, _ result: OperationResult, _ now: Moment
    ) -> Bool {
        guard let operation = state.clusters[id]?.drill?.run.operations[key] else { return false }
        finish(operation, result, id, now)
        evaluate(id, now)
        return true
    }
}
