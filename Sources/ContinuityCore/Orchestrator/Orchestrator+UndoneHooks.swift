/// Hooks that did not do their part of a run are called again until they have: a name server that
/// was away during a failover must not keep clients at the old primary for ever.
extension Orchestrator {
    /// The pause between two calls doubles from the first to the last.
    static let hookRetryMs: ClosedRange<Int64> = 2_000...60_000

    /// To be called before the entry that ends the run.
    mutating func leaveUndone(
        by run: RunState, _ outcome: RunOutcome, _ id: ClusterID, _ now: Moment
    ) {
        guard let policy = state.clusters[id]?.policy else { return }
        for undone in run.hooksLeftUndone(outcome, policy: policy) {
            emit(.hookLeftUndone(undone), cluster: id, now)
            observations[id]?.hookRetries[undone.place] =
                now.monotonicMs +| Self.hookRetryMs.lowerBound
            let next =
                undone.isInDoubt == true
                ? "it must not be called twice: look, then dismiss it"
                : "it is called again until it succeeds"
            queueAlert(
                type: "continuity.hook.undone", severity: .warning, cluster: id,
                subject: undone.place,
                summary: "\(undone.pack) at \(undone.stage.rawValue) of \(run.runID) is not done "
                    + "(\(undone.detail)); \(next)",
                data: [
                    "run_id": .string(run.runID.rawValue), "pack": .string(undone.pack),
                    "stage": .string(undone.stage.rawValue), "detail": .string(undone.detail),
                ],
                discriminator: run.runID.rawValue, now)
        }
    }

    /// The roles have changed: what was to be done for the earlier ones would be wrong now.
    mutating func supersedeUndone(by run: RunState, _ id: ClusterID, _ now: Moment) {
        for undone in state.clusters[id]?.undoneInOrder ?? [] {
            settle(undone, .superseded, "\(run.runID) has its own hooks", id, now)
        }
    }

    private mutating func settle(
        _ undone: UndoneHook, _ end: HookSettled.End, _ reason: String, by actor: String? = nil,
        _ id: ClusterID, _ now: Moment
    ) {
        let body = HookSettled(
            place: undone.body.place, stage: undone.body.stage, pack: undone.body.pack, end: end,
            reason: reason)
        emit(.hookSettled(body), cluster: id, actor: actor ?? "continuity", now)
        observations[id]?.hookRetries[undone.body.place] = nil
        let what =
            switch end {
            case .done: "is done now"
            case .superseded, .unbound: "is not needed any more"
            case .dismissed: "was dismissed"
            }
        queueAlert(
            type: "continuity.hook.settled", severity: .info, cluster: id,
            subject: undone.body.place,
            summary: "\(undone.body.pack) at \(undone.body.stage.rawValue) of "
                + "\(undone.body.runID) \(what)\(reason.isEmpty ? "" : ": \(reason)")",
            data: [
                "run_id": .string(undone.body.runID.rawValue),
                "pack": .string(undone.body.pack),
                "stage": .string(undone.body.stage.rawValue), "end": .string(end.rawValue),
            ],
            discriminator: undone.body.runID.rawValue, now)
    }

    /// Calls the first undone hook whose pause is over, one at a time and in the run's order.
    mutating func reconcileHooks(_ id: ClusterID, _ now: Moment) {
        guard let cluster = state.clusters[id], !cluster.undoneHooks.isEmpty else { return }
        let isServed =
            cluster.cluster.topology == .activeActive || actsAsPrimary(cluster.primary, id, now)
        guard isServed, cluster.run == nil, cluster.inDoubt == nil, cluster.pause == nil,
            cluster.maintenance == nil, otherLeadership(id, now) == nil,
            !isStillListening(id, now), cluster.undoneHooks.values.allSatisfy({ $0.pending == nil })
        else { return }
        for undone in cluster.undoneInOrder where undone.body.isInDoubt != true {
            guard undone.primary == cluster.primary || cluster.cluster.topology == .activeActive
            else {
                settle(undone, .superseded, "\(cluster.primary) is the primary", id, now)
                continue
            }
            guard let (place, index, binding) = place(of: undone, cluster.policy) else {
                settle(undone, .unbound, "the policy does not bind it any more", id, now)
                continue
            }
            guard place == undone.body.place else {
                var moved = undone.body
                moved.place = place
                emit(.hookLeftUndone(moved), cluster: id, now)
                settle(undone, .unbound, "the policy binds it at another place", id, now)
                continue
            }
            guard now.monotonicMs >= observations[id]?.hookRetries[place] ?? 0 else { continue }
            let key = OperationKey("undone-\(state.head.seq + 1)/\(place)/\(undone.attempts + 1)")
            return intend(
                .hook(
                    binding, at: index, key: key, runID: nil,
                    attempt: Int(clamping: undone.attempts + 1)),
                id, now)
        }
    }

    private func place(
        of undone: UndoneHook, _ policy: FailoverPolicy
    ) -> (String, Int, HookBinding)? {
        let bindings = policy.bindings(at: undone.body.stage, undone.body.timing).enumerated()
            .map { (RunScript.place(of: $1, $0), $0, $1) }
            .filter { $0.2.pack == undone.body.pack }
        return bindings.first { $0.0 == undone.body.place } ?? bindings.first
    }

    /// To be called when the entry of the result is taken.
    mutating func noteHookResult(
        of operation: Operation, _ result: OperationResult, _ id: ClusterID, _ now: Moment
    ) {
        guard operation.kind == .hook, operation.runID == nil, let cluster = state.clusters[id],
            let place = cluster.undonePlace(of: operation.key),
            let undone = cluster.undoneHooks[place]
        else { return }
        if result.outcome == .ok { return settle(undone, .done, "", id, now) }
        let pause = min(
            Self.hookRetryMs.lowerBound << min(max(0, undone.attempts - 1), 10),
            Self.hookRetryMs.upperBound)
        observations[id]?.hookRetries[place] = now.monotonicMs +| pause
    }

    /// Whether the call of an undone hook may still change something.
    func awaitsUndone(_ key: OperationKey, _ cluster: ClusterState) -> Bool {
        cluster.run == nil && cluster.undoneHooks.values.contains { $0.pending == key }
    }

    mutating func dismissHook(
        _ id: ClusterID, pack: String, reason: String, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try checkKnown(id)
        try check(reason: reason)
        let wanted = (state.clusters[id]?.undoneInOrder ?? []).filter { $0.body.pack == pack }
        guard !wanted.isEmpty else {
            throw OrderProblem(
                "hook-not-undone",
                "\(SafeText.line(pack)) has left nothing undone in \(id): nothing to dismiss")
        }
        for undone in wanted { settle(undone, .dismissed, reason, by: actor, id, now) }
        let seq = state.head.seq
        evaluate(id, now)
        reply(.noted(seq: seq))
    }
}
