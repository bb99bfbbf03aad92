/// An orderly hand-over, and the way back from one that came to nothing.
extension RunScript {
    private var oldPrimary: NodeID { run.plan.primaryNodeID }
    private var settings: HandoverSettings { surroundings.policy.handover }

    private func order(
        _ command: AgentCommand.Name, _ stage: Stage, timeoutMs: Int64 = Self.commandTimeoutMs,
        onFailure: HookBinding.FailureResponse = .continue
    ) -> Operation {
        .command(
            command, on: oldPrimary, key: key(stage.rawValue, command.rawValue, oldPrimary),
            runID: run.runID, stage: stage, timeoutMs: timeoutMs, onFailure: onFailure)
    }

    private var demotion: Operation {
        order(.demote, .demote, timeoutMs: settings.demoteTimeoutMs, onFailure: .abort)
    }

    /// Whether anything was done by which clients may have lost their primary.
    var hasBegunHandOver: Bool {
        let hooksMayUndo =
            run.hooksHaveDemoted
            && HookBinding.Timing.allCases.contains {
                !surroundings.policy.bindings(at: .rollback, $0).isEmpty
            }
        return run.fenceProof != nil || run.operations[demotion.key] != nil || hooksMayUndo
    }

    // MARK: pre_check

    /// What would keep the old primary from stopping is looked for while it still serves.
    func prepare() -> RunStep? {
        guard run.kind == .switchover, !hasBegunHandOver else { return nil }
        let prepare = order(.prepare, .preCheck)
        if let step = complete([prepare]) { return step }
        guard let result = run.results[prepare.key], result.command?.isHindered == true,
            settings.onHindrance == .refuse
        else { return nil }
        return .finish(.failed, reason: "\(oldPrimary) would not stop in time: \(result.detail)")
    }

    // MARK: demote

    func handOver() -> RunStep? {
        if let step = complete([demotion]) { return step }
        let result = run.results[demotion.key]
        if let receipt = result?.receipt(of: oldPrimary) {
            return .proveFence(.receipt, detail: "\(oldPrimary) stopped, \(receipt.method)")
        }
        let reason = "\(oldPrimary) did not hand over: \(result?.detail ?? "")"
        guard settings.onDemoteTimeout == .fence else { return failure(reason) }
        let fence = order(.fence, .demote)
        if let step = complete([fence]) { return step }
        guard let receipt = run.results[fence.key]?.receipt(of: oldPrimary) else {
            return failure(
                "\(reason); and it could not be fenced: \(run.results[fence.key]?.detail ?? "")")
        }
        return .proveFence(
            .receipt,
            detail: "\(oldPrimary) did not stop by itself and is stopped (\(receipt.method))")
    }

    // MARK: rollback

    /// The old primary is primary again, as long as nobody else became it: seen, not assumed.
    func rollback() -> RunStep {
        let reason = run.rollbackReason ?? ""
        // What is still under way there would undo what follows.
        let isBusy = run.pendingOperations.contains {
            $0.nodeID == oldPrimary && ($0.command == .demote || $0.command == .fence)
                && $0.stage == .demote
        }
        if isBusy { return .wait }
        if let step = rollbackHooks(.before) ?? serveAgain(reason) ?? rollbackHooks(.after) {
            return step
        }
        return .finish(.rolledBack, reason: reason)
    }

    private func serveAgain(_ reason: String) -> RunStep? {
        let restart = order(.restart, .rollback, timeoutMs: Self.restartTimeoutMs)
        if run.fenceProof == nil, run.operations[restart.key] == nil {
            // It may never have begun to stop: then its sessions go on.
            let look = reading(oldPrimary, stage: .rollback, round: 1)
            if let step = complete([look]) { return step }
            if serves(look) { return nil }
            // A server that is stopping cannot be told to stay.
            let fence = order(.fence, .rollback)
            if let step = complete([fence]) { return step }
            guard run.results[fence.key]?.receipt(of: oldPrimary) != nil else {
                return notReturned(reason, fence)
            }
        }
        if let step = complete([restart]) { return step }
        guard run.results[restart.key]?.outcome == .ok else { return notReturned(reason, restart) }
        for round in 2...4 {
            let look = reading(oldPrimary, stage: .rollback, round: round)
            if let step = complete([look]) { return step }
            if serves(look) { return nil }
        }
        return .finish(
            .failed,
            reason: "\(reason); and the rollback failed: \(oldPrimary) was started again and does "
                + "not run as primary")
    }

    private func notReturned(_ reason: String, _ operation: Operation) -> RunStep {
        .finish(
            .failed,
            reason: "\(reason); and the rollback failed: "
                + (run.results[operation.key]?.detail ?? ""))
    }

    private func serves(_ look: Operation) -> Bool {
        let service = run.results[look.key]?.command?.service
        return run.results[look.key]?.outcome == .ok && service?.state == .running
            && service?.role == .primary
    }
}
