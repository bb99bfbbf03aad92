/// Approvals in advance: people agree to an arranged move when it is arranged, by what matters
/// (cluster, kind, and a target or "the best"), not to the plan as it happened to be then.
extension Orchestrator {
    /// Asks for the approvals of an arranged move as soon as a plan can be shown; again where the
    /// policy asks for others meanwhile.
    mutating func askInAdvance(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], let move = cluster.scheduled else { return }
        let settings = cluster.policy.approvals ?? ApprovalPolicy()
        let needed = cluster.policy.approvals?.needed(for: move.kind) ?? 0
        if let asked = cluster.scheduledApproval {
            guard needed > 0, !asked.suffices(settings, needed: needed) else { return }
            end(
                asked, .void,
                "the policy asks for other approvals now, and they are asked for anew",
                by: nil, id, now)
        }
        guard needed > 0, cluster.primary == move.fromNodeID,
            let plan = try? plan(
                id,
                PlanRequest(
                    kind: move.kind, triggerReason: RunTrigger.scheduled.rawValue,
                    targetNodeID: move.targetNodeID), now)
        else { return }
        let seed = Array("\(plan.planID)/arranged/\(state.head.seq + 1)".utf8)
        let approval = PendingApproval(
            approvalID: ApprovalID("approval-" + digest.hex(seed).prefix(16)), kind: .arranged,
            plan: plan, requestedBy: move.principal, reason: move.reason,
            targetNodeID: move.targetNodeID, needed: needed, groups: settings.groups,
            expiresAtMs: move.untilMs)
        emit(
            .approvalRequested(ApprovalRequested(approval: approval)), cluster: id,
            actor: move.requestedBy, now)
        let target = move.targetNodeID?.rawValue ?? "the best target then"
        queueAlert(
            type: "continuity.approval.requested", severity: .warning, cluster: id,
            subject: approval.approvalID.rawValue,
            summary: "\(move.requestedBy) asks for approval in advance: \(move.kind.rawValue) of "
                + "\(id) from \(move.fromNodeID) to \(target), arranged for "
                + "\(RFC3339.text(utcMs: move.atMs)) (\(move.reason))",
            data: [
                "approval_id": .string(approval.approvalID.rawValue),
                "plan_id": .string(plan.planID.rawValue), "needed": .int(Int64(needed)),
                "at_ms": .int(move.atMs), "expires_at_ms": .int(approval.expiresAtMs),
            ],
            discriminator: "requested", now)
    }

    /// The approval that a plan which is due rests on; `nil`: it needs none.
    ///
    /// - Throws: what is missing. The window stays open for it.
    func consent(
        to plan: Plan, of move: ScheduledMove, _ cluster: ClusterState
    ) throws(PlanRefusal) -> PendingApproval? {
        let needed = cluster.policy.approvals?.needed(for: move.kind) ?? 0
        guard let approval = cluster.scheduledApproval else {
            guard needed > 0 else { return nil }
            throw PlanRefusal(rule: .approvalPending, evidence: "nobody could be asked yet")
        }
        guard approval.isComplete else {
            guard needed > 0 else { return nil }
            let missing = approval.needed - approval.consents.count
            throw PlanRefusal(
                rule: .approvalPending,
                evidence: "\(approval.approvalID) waits for \(missing) of other people")
        }
        guard approval.covers(plan) else {
            throw PlanRefusal(
                rule: .planChanged,
                evidence: "\(plan.kind.rawValue) from \(plan.primaryNodeID) to "
                    + "\(plan.failoverTargetID) is not what \(approval.approvalID) covers")
        }
        return approval
    }

    /// Ends the approval of an arranged move that will not begin.
    mutating func endAdvanceApproval(
        _ outcome: ApprovalOutcome, _ reason: String, _ id: ClusterID, _ now: Moment
    ) {
        guard let approval = state.clusters[id]?.scheduledApproval else { return }
        end(approval, outcome, reason, by: nil, id, now)
    }
}

extension PendingApproval {
    /// Whether a plan is within what was approved in advance.
    package func covers(_ plan: Plan) -> Bool {
        plan.clusterID == self.plan.clusterID && plan.kind == self.plan.kind
            && plan.primaryNodeID == self.plan.primaryNodeID
            && (targetNodeID == nil || targetNodeID == plan.failoverTargetID)
    }

    /// Whether who was asked is who the policy would ask now.
    fileprivate func suffices(_ settings: ApprovalPolicy, needed: Int) -> Bool {
        self.needed >= needed && Set(groups) == Set(settings.groups)
    }
}

extension ScheduledMove {
    /// Who arranged it.
    var principal: Principal { Principal(actor: requestedBy, knownBy: knownBy) }
}
