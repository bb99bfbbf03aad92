/// What a person answers to another's request.
package enum ApprovalAct: Hashable, Sendable {
    case approve(ClusterID, ApprovalID, reason: String)
    /// In the approver's own figures, so that nobody accepts more than they have read.
    case acceptDataLoss(ClusterID, ApprovalID, DataLoss, reason: String)
    case refuse(ClusterID, ApprovalID, reason: String)
    case closeReview(ClusterID, ReviewID, note: String)
}

/// Approvals: a second pair of eyes before what a person asks for is done.
extension Orchestrator {
    /// How long a break-glass waits for the second admin.
    static let breakGlassMs: Int64 = 300_000
    /// Of one cluster. Each stands in the status until somebody has looked at it.
    package static let openReviewsMax = 100

    // MARK: Asking

    /// Starts what was asked for, or asks others first.
    mutating func startOrAsk(
        _ request: OperatorRequest, _ plan: Plan, trigger: RunTrigger, _ now: Moment
    ) throws(PlanRefusal) -> Reply {
        let id = request.clusterID
        guard let cluster = served(id) else { return .unknownCluster(id) }
        if request.isBreakGlass, cluster.reviews.count >= Self.openReviewsMax {
            throw PlanRefusal(
                rule: .openReviews,
                evidence: "\(cluster.reviews.count) break-glasses of \(id) wait for their review, "
                    + "the oldest is \(cluster.reviews[0].reviewID): close some first "
                    + "('continuity review close')")
        }
        let loss = dataLoss(of: plan, id, now)
        let needed =
            request.isBreakGlass ? 1 : cluster.policy.approvals?.needed(for: request.kind) ?? 0
        guard needed > 0 || loss != nil else {
            start(
                plan, kind: request.kind, trigger: trigger,
                by: request.requestedBy.actor, reason: request.reason,
                // A plan that was sent whole is carried out as it is; no score turns it into another.
                targetIsFixed: request.targetNodeID != nil || request.expectedPlan != nil, id, now)
            guard let run = state.clusters[id]?.run else { return .unknownCluster(id) }
            advance(id, now)
            return .accepted(runID: run.runID, planID: plan.planID)
        }
        if let pending = cluster.approval, !request.isBreakGlass {
            throw PlanRefusal(
                rule: .approvalPending, evidence: "\(pending.approvalID) waits for its approval")
        }
        return .awaitingApproval(
            ask(request, plan, trigger: trigger, needed: needed, loss: loss, id, now))
    }

    private mutating func ask(
        _ request: OperatorRequest, _ plan: Plan, trigger: RunTrigger, needed: Int,
        loss: DataLoss?, _ id: ClusterID, _ now: Moment
    ) -> PendingApproval {
        if state.clusters[id]?.approval != nil {
            end(.void, "a break-glass takes its place", by: request.requestedBy, id, now)
        }
        let settings = state.clusters[id]?.policy.approvals ?? ApprovalPolicy()
        let seed = Array("\(plan.planID)/approval/\(state.head.seq + 1)".utf8)
        let approval = PendingApproval(
            approvalID: ApprovalID("approval-" + digest.hex(seed).prefix(16)),
            kind: request.isBreakGlass ? .breakGlass : .move, trigger: trigger, plan: plan,
            requestedBy: request.requestedBy, reason: request.reason,
            targetNodeID: request.targetNodeID, needed: needed,
            groups: request.isBreakGlass ? [] : settings.groups,
            expiresAtMs: now.utcMs
                + (request.isBreakGlass ? Self.breakGlassMs : settings.expiresS *| 1000),
            // Who breaks the glass takes the loss with it; the review says how much it was.
            dataLoss: request.isBreakGlass ? nil : loss)
        emit(
            .approvalRequested(ApprovalRequested(approval: approval)), cluster: id,
            actor: request.requestedBy.actor, now)
        let what = approval.kind == .breakGlass ? "breaks the glass" : "asks for approval"
        queueAlert(
            type: "continuity.approval.requested",
            severity: approval.kind == .breakGlass ? .critical : .warning, cluster: id,
            subject: approval.approvalID.rawValue,
            summary: "\(request.requestedBy.person) \(what): \(plan.kind.rawValue) of \(id) from "
                + "\(plan.primaryNodeID) to \(plan.failoverTargetID)\(described(loss)) "
                + "(\(request.reason))",
            data: [
                "approval_id": .string(approval.approvalID.rawValue),
                "plan_id": .string(plan.planID.rawValue), "needed": .int(Int64(needed)),
                "expires_at_ms": .int(approval.expiresAtMs),
            ],
            discriminator: "requested", now)
        return approval
    }

    private func described(_ loss: DataLoss?) -> String {
        guard let loss else { return "" }
        let bytes = loss.bytes.map { "\($0) bytes" } ?? "an unknown number of bytes"
        return ", losing up to \(loss.lagMs) ms and \(bytes)"
    }

    /// What the plan's target has not got, where that is more than `rpo_s` allows or nobody can tell.
    private func dataLoss(of plan: Plan, _ id: ClusterID, _ now: Moment) -> DataLoss? {
        guard let cluster = state.clusters[id], plan.kind == .failover,
            let seen = observations[id]?.nodes,
            let target = seen[plan.failoverTargetID]?.report?.service
        else { return nil }
        let lagMs = target.lagMs ?? 0
        if possibleLoss(of: plan, id, now) != nil { return DataLoss(lagMs: lagMs, bytes: nil) }
        guard lagMs > cluster.policy.rpoS *| 1000 else { return nil }
        let end = seen[plan.primaryNodeID]?.report?.service.positionBytes
        let bytes = end.flatMap { end in target.positionBytes.map { max(0, end - $0) } }
        return DataLoss(lagMs: lagMs, bytes: bytes)
    }

    // MARK: Answering

    mutating func handle(_ act: ApprovalAct, by principal: Principal, _ now: Moment) {
        do {
            switch act {
            case .approve(let id, let approval, let reason):
                try approve(id, approval, nil, reason, by: principal, now)
            case .acceptDataLoss(let id, let approval, let loss, let reason):
                try approve(id, approval, loss, reason, by: principal, now)
            case .refuse(let id, let approval, let reason):
                try refuse(id, approval, reason, by: principal, now)
            case .closeReview(let id, let review, let note):
                try closeReview(id, review, note, by: principal, now)
            }
        } catch {
            reply(.problem(error))
        }
    }

    private mutating func approve(
        _ id: ClusterID, _ approvalID: ApprovalID, _ accepted: DataLoss?, _ reason: String,
        by principal: Principal, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        guard !isStillListening(id, now) else {
            throw OrderProblem(
                "still-listening",
                "the server has just begun to listen to \(id): try again in a moment")
        }
        checkApproval(id, now)
        let pending = try pending(id, approvalID)
        try checkIsAnother(principal, than: pending.requestedBy)
        try checkRight(of: principal, to: pending)
        // Who has paused the cluster since then meant everybody. Found by simulation.
        if pending.kind == .move, let pause = state.clusters[id]?.pause {
            throw OrderProblem(
                "paused",
                "\(id) is paused by \(pause.owner): \(pause.reason); 'continuity resume' comes "
                    + "first, then approve")
        }
        let consent = Consent(by: principal, reason: reason, atMs: now.utcMs)
        if let accepted {
            guard let named = pending.dataLoss else {
                throw OrderProblem("no-data-loss", "\(approvalID) loses nothing to accept")
            }
            // It may have grown since it was asked for.
            let loss = dataLoss(of: pending.plan, id, now) ?? named
            guard accepted.covers(loss) else {
                throw OrderProblem(
                    "data-loss-greater",
                    "the move may lose more than that\(described(loss)): accept that or refuse")
            }
        } else if let earlier = pending.consents.first(where: {
            !$0.by.couldBeOne(with: principal).isEmpty
        }) {
            let names = earlier.by.couldBeOne(with: principal).joined(separator: ", ")
            throw OrderProblem(
                "already-approved",
                earlier.by.person == principal.person
                    ? "\(names) has approved it already"
                    : "\(names) could be behind the approval of \(earlier.by.person) as well: "
                        + Self.remedyForSharedTokens)
        }
        emit(
            .approvalGiven(
                ApprovalGiven(
                    approvalID: approvalID, question: accepted == nil ? .move : .dataLoss,
                    consent: consent, accepted: accepted)),
            cluster: id, actor: principal.actor, now)
        let seq = state.head.seq
        reply(.noted(seq: seq))
        // That of an arranged move is used when the move is due.
        if let approval = state.clusters[id]?.approval, approval.isComplete {
            carryOut(approval, by: principal, id, now)
        }
    }

    private mutating func refuse(
        _ id: ClusterID, _ approvalID: ApprovalID, _ reason: String, by principal: Principal,
        _ now: Moment
    ) throws(OrderProblem) {
        try check(reason: reason)
        let pending = try pending(id, approvalID)
        // Who asked may take it back; anybody else must be one who may approve. Whoever it is, to
        // refuse needs no second person.
        if principal.person != pending.requestedBy.person {
            try checkRight(of: principal, to: pending)
        }
        end(pending, .refused, reason, by: principal, id, now)
        let seq = state.head.seq
        if pending.kind == .arranged {
            endSchedule(
                ScheduleEnded(
                    end: .refused, reason: "\(principal.person) refused it: \(reason)"), id, now)
        }
        reply(.noted(seq: seq))
    }

    private mutating func carryOut(
        _ approval: PendingApproval, by principal: Principal, _ id: ClusterID, _ now: Moment
    ) {
        let people = [approval.requestedBy] + approval.consents.map(\.by)
        end(.approved, "", by: principal, id, now)
        start(
            approval.plan, kind: approval.plan.kind,
            trigger: approval.kind == .breakGlass ? RunTrigger.breakGlass : RunTrigger.requested,
            by: approval.requestedBy.actor, reason: approval.reason,
            // What was approved is this plan; no score may turn it into another one.
            targetIsFixed: true, approval: approval, id, now)
        guard let run = state.clusters[id]?.run else { return }
        if approval.kind == .breakGlass { openReview(of: run, people, approval.reason, id, now) }
        reply(.accepted(runID: run.runID, planID: approval.plan.planID))
        advance(id, now)
    }

    private func pending(
        _ id: ClusterID, _ approvalID: ApprovalID
    ) throws(OrderProblem) -> PendingApproval {
        try checkKnown(id)
        let asked = [state.clusters[id]?.approval, state.clusters[id]?.scheduledApproval]
        guard let pending = asked.compactMap(\.self).first(where: { $0.approvalID == approvalID })
        else {
            throw OrderProblem(
                "no-such-approval", .unknown,
                "\(id) has no pending approval '\(approvalID)': it was answered, has expired, or "
                    + "is void because the plan would be another one now ('continuity audit list')")
        }
        return pending
    }

    /// Two people, whatever credentials they use: nobody who knows the secrets of both sides.
    private func checkIsAnother(
        _ principal: Principal, than first: Principal
    ) throws(OrderProblem) {
        let names = principal.couldBeOne(with: first)
        guard !names.isEmpty else { return }
        if principal.person == first.person, principal.person != Principal.anybody {
            throw OrderProblem(
                "same-person",
                "\(principal.person) asked for it: somebody else must do this")
        }
        if names == [Principal.anybody] {
            throw OrderProblem(
                "same-person",
                "the token of token_file, or one made with it, could be in anybody's hands: on "
                    + "both sides, " + Self.remedyForSharedTokens)
        }
        throw OrderProblem(
            "same-person",
            "\(names.joined(separator: ", ")) could be behind both \(first.person) and "
                + "\(principal.person), knowing their tokens: " + Self.remedyForSharedTokens)
    }

    /// What makes a credential its owner's alone.
    package static let remedyForSharedTokens =
        "use a certificate, or let each owner make their token theirs alone with "
        + "'continuity token claim', and ask anew"

    private func checkRight(
        of principal: Principal, to approval: PendingApproval
    ) throws(OrderProblem) {
        if approval.kind == .breakGlass, !principal.isAdmin {
            throw OrderProblem("not-an-admin", "breaking the glass takes two admins")
        }
        guard approval.groups.isEmpty || !Set(approval.groups).isDisjoint(with: principal.groups)
        else {
            throw OrderProblem(
                "not-an-approver",
                "\(principal.person) is in none of the groups that may approve: "
                    + approval.groups.joined(separator: ", "))
        }
    }

    // MARK: Time and drift

    /// Ends an approval whose time is over, or whose plan is not what would be done any more.
    mutating func checkApproval(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], let approval = cluster.approval else { return }
        if now.utcMs >= approval.expiresAtMs {
            return end(.expired, "nobody else approved in time", by: nil, id, now)
        }
        if let run = cluster.run {
            return end(.void, "\(run.runID) has begun meanwhile", by: nil, id, now)
        }
        // A process that has only just begun to listen cannot tell what the plan would be.
        guard !isStillListening(id, now) else { return }
        if let reason = drift(of: approval, id, now) { end(.void, reason, by: nil, id, now) }
    }

    private func drift(of approval: PendingApproval, _ id: ClusterID, _ now: Moment) -> String? {
        let request = PlanRequest(
            kind: approval.plan.kind, triggerReason: approval.plan.triggerReason,
            targetNodeID: approval.targetNodeID,
            acceptsDataLoss: approval.kind == .breakGlass || approval.dataLoss != nil)
        do throws(PlanRefusal) {
            let plan = try plan(id, request, now)
            if plan.planID != approval.plan.planID {
                return "the plan would be \(plan.planID) now, from \(plan.primaryNodeID) to "
                    + "\(plan.failoverTargetID)"
            }
        } catch {
            return "it cannot be done any more: \(error.rule.rawValue) (\(error.evidence))"
        }
        guard approval.kind == .move, let loss = dataLoss(of: approval.plan, id, now) else {
            return nil
        }
        if let named = approval.dataLoss, named.covers(loss) || approval.dataLossConsent == nil {
            return nil
        }
        return "more would be lost than was named\(described(loss))"
    }

    private mutating func end(
        _ outcome: ApprovalOutcome, _ reason: String, by principal: Principal?, _ id: ClusterID,
        _ now: Moment
    ) {
        guard let approval = state.clusters[id]?.approval else { return }
        end(approval, outcome, reason, by: principal, id, now)
    }

    mutating func end(
        _ approval: PendingApproval, _ outcome: ApprovalOutcome, _ reason: String,
        by principal: Principal?, _ id: ClusterID, _ now: Moment
    ) {
        emit(
            .approvalEnded(
                ApprovalEnded(
                    approvalID: approval.approvalID, outcome: outcome, reason: reason,
                    by: principal)),
            cluster: id, actor: principal?.actor ?? "continuity", now)
        guard outcome != .approved else { return }
        queueAlert(
            type: "continuity.approval.ended", severity: .info, cluster: id,
            subject: approval.approvalID.rawValue,
            summary: "the \(approval.plan.kind.rawValue) of \(id) that "
                + "\(approval.requestedBy.person) asked for is \(outcome.rawValue): \(reason)",
            data: ["outcome": .string(outcome.rawValue)], discriminator: "ended", now)
    }

    // MARK: Reviews

    private mutating func openReview(
        of run: RunState, _ people: [Principal], _ reason: String, _ id: ClusterID, _ now: Moment
    ) {
        let review = OpenReview(
            reviewID: ReviewID("review-" + run.runID.rawValue), runID: run.runID, people: people,
            reason: reason, openedAtMs: now.utcMs)
        emit(.reviewOpened(ReviewOpened(review: review)), cluster: id, now)
        queueAlert(
            type: "continuity.break_glass.used", severity: .critical, cluster: id,
            subject: run.runID.rawValue,
            summary: people.map(\.person).joined(separator: " and ")
                + " broke the glass on \(id): \(reason). \(review.reviewID) is open",
            data: ["review_id": .string(review.reviewID.rawValue)], discriminator: "used", now)
    }

    private mutating func closeReview(
        _ id: ClusterID, _ reviewID: ReviewID, _ note: String, by principal: Principal,
        _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        try check(reason: note)
        guard let review = state.clusters[id]?.reviews.first(where: { $0.reviewID == reviewID })
        else {
            throw OrderProblem("no-such-review", .unknown, "\(id) has no open review '\(reviewID)'")
        }
        if let first = review.people.first { try checkIsAnother(principal, than: first) }
        emit(
            .reviewClosed(ReviewClosed(reviewID: reviewID, note: note, by: principal)),
            cluster: id, actor: principal.actor, now)
        reply(.noted(seq: state.head.seq))
    }
}
