/// What a run does next.
package enum RunStep: Hashable, Sendable {
    /// These effects leave now, together.
    case intend([Operation])
    /// Results or time are awaited.
    case wait
    /// The policies have scored the candidates: the plan is made anew with that.
    case replan([TargetScores])
    /// The target cannot be used, and nothing was begun there: the next eligible one is tried.
    case retarget(reason: String)
    case admit([PolicyVerdict])
    case awaitLease
    case proveFence(FenceProof, detail: String)
    case promoted
    /// The load is divided as the plan says.
    case shifted
    case notify
    case verified(Verification)
    case rollBack(reason: String)
    case finish(RunOutcome, reason: String)
}

/// What a run's script looks at beside the run itself.
package struct RunSurroundings: Sendable {
    package var cluster: Cluster
    package var policy: FailoverPolicy
    /// Nodes that report at the moment.
    package var heard: Set<NodeID>
    /// Whether the lease of the old primary and the clock margin have run out, with nothing heard
    /// since that speaks against it.
    package var leaseHasRunOut: Bool
    package var deadlineHasPassed: Bool
    /// Whether this process has only just begun to listen, and nodes that are not heard may be
    /// well all the same.
    package var isStillListening: Bool
    /// The nodes that are known to take their changes from the old primary.
    package var replicas: Set<NodeID>
    /// The nodes that may hold something of the old primary's, known or not.
    package var mayHold: Set<NodeID>
    /// What whoever becomes primary must have at least where nothing may be lost.
    package var floorBytes: Int64?
    /// Whether the primary's service is alive and does not answer.
    package var primaryHangs = false
    /// Whether the primary's agent reports that nothing of its service is alive.
    package var primaryIsStopped = false
    /// Whether a run has waited long enough for a secondary to follow its target.
    package var followWaitIsOver = true
    /// The secondaries that report to take changes at the moment.
    package var streaming: Set<NodeID> = []
    /// Every rule by which the old primary may ask for promises.
    package var promiseRules: [PromiseRule]
    /// Of the leadership that goes on with the run.
    package var epoch: Int64

    package init(
        cluster: Cluster, policy: FailoverPolicy, heard: Set<NodeID>, leaseHasRunOut: Bool,
        deadlineHasPassed: Bool, isStillListening: Bool, replicas: Set<NodeID>,
        mayHold: Set<NodeID>, floorBytes: Int64? = nil, promiseRules: [PromiseRule],
        epoch: Int64
    ) {
        self.promiseRules = promiseRules
        self.replicas = replicas
        self.mayHold = mayHold
        self.floorBytes = floorBytes
        self.epoch = epoch
        self.cluster = cluster
        self.policy = policy
        self.heard = heard
        self.leaseHasRunOut = leaseHasRunOut
        self.deadlineHasPassed = deadlineHasPassed
        self.isStillListening = isStillListening
    }
}

/// The course of a run, as a pure function of what has been intended and what has come back.
///
/// It holds no position of its own: it walks the stages from the first, passes over what is done
/// and stops at the first thing that is not. So a run goes on after a restart exactly where the
/// journal says it is.
package struct RunScript: Sendable {
    let run: RunState
    let surroundings: RunSurroundings

    static let commandTimeoutMs: Int64 = 10_000
    static let statusTimeoutMs: Int64 = 3_000
    static let promoteTimeoutMs: Int64 = 30_000
    static let restartTimeoutMs: Int64 = 60_000
    /// How many readings are taken while a target catches up or a secondary comes to follow.
    static let readingRounds = 50
    /// How many of them are taken at once while secondaries come to follow.
    static let quickReadingRounds = 40

    package init(run: RunState, surroundings: RunSurroundings) {
        self.run = run
        self.surroundings = surroundings
    }

    package func next() -> RunStep {
        if run.phase == .rollingBack { return rollback() }
        if surroundings.deadlineHasPassed {
            return failure(
                "max_failover_time_s (\(run.plan.maxFailoverTimeMs / 1000) s) has passed")
        }
        if surroundings.isStillListening { return .wait }
        if run.phase == .requested { return admit() }
        let stages: [Stage] = [.preCheck] + run.plan.actions.compactMap { Stage($0.action) }
        for stage in stages {
            if let step = step(of: stage) { return step }
        }
        return finish()
    }

    private func finish() -> RunStep {
        guard let verification = run.verification else {
            return .finish(.failed, reason: "the result was not verified")
        }
        guard verification.passed else {
            let evidence = verification.deductions.map(\.evidence).joined(separator: "; ")
            return .finish(.failed, reason: "verification failed: \(evidence)")
        }
        return .finish(.committed, reason: "")
    }

    private func step(of stage: Stage) -> RunStep? {
        if let step = hooks(at: stage, .before) { return step }
        if let step = core(of: stage) { return step }
        return hooks(at: stage, .after)
    }

    private func core(of stage: Stage) -> RunStep? {
        switch stage {
        case .preCheck: prepare()
        case .demote: demote()
        case .promote: promote()
        case .restart: restart()
        case .notify where run.kind == .rebalance && !run.promoted: .shifted
        case .notify where run.kind == .adopt && !run.promoted: adopt()
        case .notify: run.alerts.contains(run.promotionAlertID) ? nil : .notify
        case .verify: run.verification == nil ? verify() : nil
        case .admit, .dnsFlip, .rollback: nil
        }
    }

    // MARK: Operations

    func key(_ parts: Any...) -> OperationKey {
        OperationKey(([run.runID.rawValue] + parts.map { "\($0)" }).joined(separator: "/"))
    }

    /// The step that brings a group of operations to an end; `nil` when all have results.
    func complete(_ group: [Operation]) -> RunStep? {
        let missing = group.filter { run.operations[$0.key] == nil }
        if !missing.isEmpty { return .intend(missing) }
        return group.allSatisfy { run.results[$0.key] != nil } ? nil : .wait
    }

    /// What a failure at this point means: nothing is undone once the target may accept writes.
    func failure(_ reason: String) -> RunStep {
        if run.kind == .switchover, hasBegunHandOver, !run.promoted, !promotionIsInDoubt {
            return .rollBack(reason: reason)
        }
        return .finish(.failed, reason: reason)
    }

    /// What a target that cannot be used means: the run tries the next one, unless this one was
    /// named by somebody or may have been begun with.
    func targetFailure(_ reason: String) -> RunStep {
        guard run.kind == .failover, !run.targetIsFixed, !promotionIsInDoubt, !run.promoted else {
            return failure(reason)
        }
        return .retarget(reason: reason)
    }

    // MARK: Hooks

    private func hooks(at stage: Stage, _ timing: HookBinding.Timing) -> RunStep? {
        for (index, binding) in surroundings.policy.bindings(at: stage, timing).enumerated() {
            // Checks before the promotion are on the target: of the next one they are asked anew.
            let isOnTarget = stage == .preCheck
            let round = isOnTarget ? run.failedTargets.count + 1 : 1
            switch outcome(of: binding, index, round: round) {
            case .success: continue
            case .step(let step): return step
            case .failure(let result):
                guard binding.onFailure != .continue else { continue }
                let reason = "\(binding.pack) at \(stage.rawValue): \(result.detail)"
                // What it may have done was done for this target.
                let isKnown = result.outcome != .inDoubt
                return isOnTarget && isKnown ? targetFailure(reason) : failure(reason)
            }
        }
        return nil
    }

    /// What a hook of a rollback does not do is done later (``RunState/hooksLeftUndone``): it must
    /// not keep the old primary from serving.
    func rollbackHooks(_ timing: HookBinding.Timing) -> RunStep? {
        for (index, binding) in surroundings.policy.bindings(at: .rollback, timing).enumerated() {
            if case .step(let step) = outcome(of: binding, index) { return step }
        }
        return nil
    }

    private enum HookProgress {
        case success(OperationResult)
        case failure(OperationResult)
        case step(RunStep)
    }

    /// Names one binding among those of its stage and timing, within the keys of its operations.
    static func place(of binding: HookBinding, _ index: Int) -> String {
        "\(binding.stage.rawValue)/\(binding.timing.rawValue)/\(index)-\(binding.pack)"
    }

    private func outcome(
        of binding: HookBinding, _ index: Int, round: Int = 1
    ) -> HookProgress {
        var last = OperationResult(outcome: .failed)
        for attempt in 1...(binding.retries + 1) {
            let place = Self.place(of: binding, index)
            let key = round == 1 ? key(place, attempt) : key(place, "round-\(round)", attempt)
            guard run.operations[key] != nil else {
                return .step(
                    .intend([
                        .hook(
                            binding, at: index, key: key, runID: run.runID, attempt: attempt)
                    ]))
            }
            guard let result = run.results[key] else { return .step(.wait) }
            if result.outcome == .ok { return .success(result) }
            last = result
            // Nobody knows whether it was done: repeating is not this script's to decide.
            if result.outcome == .inDoubt { break }
        }
        return .failure(last)
    }

    private func admit() -> RunStep {
        var verdicts: [PolicyVerdict] = []
        var scores: [TargetScores] = []
        for timing in HookBinding.Timing.allCases {
            let bindings = surroundings.policy.bindings(at: .admit, timing)
            for (index, binding) in bindings.enumerated() {
                switch outcome(of: binding, index, round: run.admissionRound) {
                case .step(let step): return step
                case .success(let result):
                    if let own = Self.scores(of: binding, result) { scores.append(own) }
                    verdicts.append(verdict(of: binding, result.hook?.value ?? .null))
                case .failure(let result):
                    // A policy that cannot answer never allows.
                    let verdict: PolicyVerdict.Verdict =
                        binding.onFailure == .continue ? .abstain : .deny
                    verdicts.append(
                        PolicyVerdict(pack: binding.pack, verdict: verdict, reason: result.detail))
                }
            }
        }
        // Before the verdicts, which are on the first target: they are asked for anew on another.
        if !scores.isEmpty, !run.isScored, !run.targetIsFixed, run.kind != .restart {
            return .replan(scores)
        }
        if let denial = verdicts.first(where: { $0.verdict == .deny }) {
            return .finish(.refused, reason: "\(denial.pack) denies: \(denial.reason)")
        }
        return .admit(verdicts)
    }

    /// What a policy says of the candidates; `nil` when nothing, or nothing that counts.
    private static func scores(
        of binding: HookBinding, _ result: OperationResult
    ) -> TargetScores? {
        guard let members = result.hook?.value["scores"]?.object, !members.isEmpty else {
            return nil
        }
        let scores = members.compactMapValues(\.int)
        guard scores.count == members.count else { return nil }
        return TargetScores(pack: binding.pack, scores: scores)
    }

    private func verdict(of binding: HookBinding, _ value: JSONValue) -> PolicyVerdict {
        let reason = value["reason"]?.string ?? ""
        if let scores = value["scores"],
            scores.object?.values.allSatisfy({ $0.int != nil }) != true
        {
            return PolicyVerdict(
                pack: binding.pack, verdict: .deny,
                reason: "its scores are no table of whole numbers by node id")
        }
        guard let verdict = value["verdict"]?.string.flatMap(PolicyVerdict.Verdict.init) else {
            return PolicyVerdict(
                pack: binding.pack, verdict: .deny,
                reason: "it returned no verdict of allow, deny or abstain")
        }
        return PolicyVerdict(pack: binding.pack, verdict: verdict, reason: reason)
    }
}

extension Stage {
    package init?(_ action: ActionType) { self.init(rawValue: action.rawValue) }
}

extension RunState {
    /// The alert of the plan's `notify` action.
    package var promotionAlertID: AlertID { AlertID("\(runID.rawValue)-promoted") }
}
