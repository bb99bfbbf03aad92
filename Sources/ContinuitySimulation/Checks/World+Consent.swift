import ContinuityCore

/// What people have ordered must hold too: pauses, approvals, arranged moves, capacities.
extension World {
    func checkPeople(_ body: JournalBody, by actor: String) {
        switch body {
        case .runRequested(let run): checkLeave(of: run, by: actor)
        case .approvalRequested(let body):
            checker.lastApprovalID = body.approval.approvalID
            checker.approvals[body.approval.approvalID] = .init(asked: body.approval)
        case .approvalGiven(let body):
            if body.question == .move {
                checker.approvals[body.approvalID]?.people.append(body.consent.by.person)
            } else {
                checker.approvals[body.approvalID]?.acceptsLoss = true
            }
        case .approvalEnded(let body): checker.approvals[body.approvalID]?.outcome = body.outcome
        case .moveScheduled(let body): checker.arranged = body.move
        case .scheduleEnded: checker.arranged = nil
        case .weightsShifted(let body): checkWeights(body)
        case .primaryChanged(let body):
            if cluster.topology == .activeActive {
                violate("promotion in active/active", "\(body.to) is said to be the primary")
            }
        default: break
        }
    }

    private func checkLeave(of run: RunRequested, by actor: String) {
        guard let state = clusterState else { return }
        let isByPeople = RunTrigger.ofPeople.contains(run.trigger)
        // What its own node has fenced is started again: a pause takes nothing out of service.
        let isReturn = run.kind == .restart && run.trigger == RunTrigger.fencedHere
        if let pause = state.pause, run.isBreakGlass != true, !isReturn {
            violate(
                "moved while paused",
                "\(run.kind.rawValue) (\(run.trigger)) begins, and \(pause.owner) has paused it")
        }
        guard isByPeople else {
            let isPrimaryAtWork =
                cluster.topology == .activePassive && state.nodeMaintenance[state.primary] != nil
            if state.maintenance != nil || isPrimaryAtWork {
                violate(
                    "moved in maintenance", "\(run.kind.rawValue) (\(run.trigger)) begins by itself"
                )
            }
            return
        }
        checkConsents(to: run)
        if run.trigger == RunTrigger.scheduled { checkArranged(run) }
    }

    private func checkConsents(to run: RunRequested) {
        let policy = settings.policy.approvals
        let needed =
            run.isBreakGlass == true
            ? 1 : run.kind == .failover ? policy?.failover ?? 0 : policy?.switchover ?? 0
        guard needed > 0 || run.approvalID != nil || run.acceptedLoss != nil else { return }
        guard let id = run.approvalID, let approval = checker.approvals[id] else {
            return violate(
                "run without approval",
                "\(run.kind.rawValue) by \(run.requestedBy) needs \(needed) approvals and has none"
            )
        }
        let others = Set(approval.people).subtracting([approval.asked.requestedBy.person])
        if others.count < needed || approval.outcome != .approved {
            violate("run without approval", "\(id) has \(others.count) of \(needed) approvals")
        }
        let isCovered =
            approval.asked.kind == .arranged
            ? approval.asked.covers(run.plan) : approval.asked.plan == run.plan
        if !isCovered {
            violate("another plan than approved", "\(run.plan.planID) was not approved by \(id)")
        }
        if approval.asked.dataLoss != nil, !approval.acceptsLoss {
            violate("run without approval", "nobody accepted what \(id) loses")
        }
        if approval.isUsed { violate("approval used twice", "\(id) begins a second run") }
        checker.approvals[id]?.isUsed = true
    }

    private func checkArranged(_ run: RunRequested) {
        guard let move = checker.arranged, !checker.actedOn.contains(move) else {
            return violate("arranged move twice", "\(run.runID) begins what is over")
        }
        checker.actedOn.insert(move)
        let now = serveNow.utcMs
        if now < move.atMs || now > move.untilMs + 5000 {
            violate("arranged move at the wrong time", "\(run.runID) begins outside its window")
        }
        if run.plan.primaryNodeID != move.fromNodeID || run.kind != move.kind {
            violate("another move than arranged", "\(run.runID) is not what was arranged")
        }
    }

    private func checkWeights(_ body: WeightsShifted) {
        let total = cluster.totalWeight
        for share in body.weights {
            guard let node = cluster.node(share.nodeID) else { continue }
            if share.weight > total * node.capacity / 100 || share.weight < 0 {
                violate(
                    "weight beyond capacity",
                    "\(share.nodeID) gets \(share.weight) of \(total), and bears "
                        + "\(node.capacity) %")
            }
        }
        if body.weights.reduce(0, { $0 + $1.weight }) > total {
            violate("weight beyond the load", "more is shared out than there is")
        }
        if body.shedPermille > 0, settings.policy.weighting.onCapacityExceeded == .hold,
            checker.runTrigger == RunTrigger.weightsChanged
                || checker.runTrigger == RunTrigger.nodeLost
        {
            violate("load is shed", "\(body.shedPermille) ‰, and the policy says hold")
        }
    }

    /// Whether every active node serves, with the weight that is its own.
    var isWholeAgain: Bool {
        guard let state = clusterState else { return false }
        return cluster.nodes.indices.allSatisfy { node in
            cluster.nodes[node].role != .primary
                || (isWritable(node)
                    && state.weight(of: cluster.nodes[node].nodeID) == cluster.nodes[node].weight)
        }
    }
}
