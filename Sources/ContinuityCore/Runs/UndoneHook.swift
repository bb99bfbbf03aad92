/// A hook that did not do its part of a run that has ended.
package struct UndoneHook: Hashable, Sendable {
    package var body: HookLeftUndone
    /// The run, for the context of the next call. Its operations are left out.
    package var run: RunState
    package var sinceMs: Int64
    /// Calls after the run's end.
    package var attempts: Int64 = 0
    /// What came of the last call.
    package var detail: String
    /// The call that is not answered yet.
    var pending: OperationKey?

    init(_ body: HookLeftUndone, run: RunState, atMs: Int64) {
        self.body = body
        self.run = run
        self.run.operations = [:]
        self.run.results = [:]
        sinceMs = atMs
        detail = body.detail
    }

    /// What is not done concerns how clients reach the service. A notification does not.
    var degradesService: Bool { body.stage != .notify }

    /// The node that has the role for which the hook is called.
    var primary: NodeID {
        let keepsPrimary = run.kind == .restart || body.stage == .rollback
        return keepsPrimary ? run.plan.primaryNodeID : run.plan.failoverTargetID
    }

    var title: String { "\(body.pack) at \(body.stage.rawValue) is not done" }
    package var text: String { "\(title): \(detail)" }
}

/// What `status` tells of it.
package struct UndoneHookReport: Codable, Hashable, Sendable {
    package var pack: String
    package var stage: Stage
    package var runID: RunID
    package var sinceMs: Int64
    package var attempts: Int64
    package var detail: String
    package var isInDoubt: Bool?

    init(_ undone: UndoneHook) {
        pack = undone.body.pack
        stage = undone.body.stage
        runID = undone.body.runID
        sinceMs = undone.sinceMs
        attempts = undone.attempts
        detail = undone.detail
        isInDoubt = undone.body.isInDoubt
    }

    private enum CodingKeys: String, CodingKey {
        case pack, stage
        case runID = "run_id"
        case sinceMs = "since_ms"
        case attempts, detail
        case isInDoubt = "is_in_doubt"
    }
}

extension RunState {
    /// Stages whose hooks change how clients find the service, or tell of it. Those before the
    /// promotion prepare what is over when the run is.
    private static let lastingStages: Set<Stage> = [.promote, .dnsFlip, .notify, .restart]

    /// The actions of this run that have not succeeded, when it ends like this.
    ///
    /// After a promotion nothing is undone, so also what the run did not come to has to be done.
    func hooksLeftUndone(_ outcome: RunOutcome, policy: FailoverPolicy) -> [HookLeftUndone] {
        let stages: [Stage] =
            switch outcome {
            case .rolledBack: [.rollback]
            case .committed,
                .failed where promoted:
                plan.actions.compactMap { Stage($0.action) }.filter(Self.lastingStages.contains)
            // Its demotion hooks may have turned clients away from a primary that serves again.
            case .failed where hooksHaveDemoted: [.rollback]
            case .failed, .refused: []
            }
        var all: [HookLeftUndone] = []
        for stage in stages {
            for timing in HookBinding.Timing.allCases {
                let bindings = policy.bindings(at: stage, timing)
                for (index, binding) in bindings.enumerated() where binding.isAction {
                    if let undone = leftUndone(binding, index) { all.append(undone) }
                }
            }
        }
        return all
    }

    /// Whether a hook of the stage `demote` was called, and may have done its part.
    var hooksHaveDemoted: Bool {
        operations.values.contains { $0.kind == .hook && $0.stage == .demote }
    }

    private func leftUndone(_ binding: HookBinding, _ index: Int) -> HookLeftUndone? {
        let place = RunScript.place(of: binding, index)
        let calls = operations.values
            .filter { $0.key.rawValue.hasPrefix("\(runID.rawValue)/\(place)/") }
            .sorted { $0.attempt < $1.attempt }
        let answers = calls.compactMap { results[$0.key] }
        guard !answers.contains(where: { $0.outcome == .ok }) else { return nil }
        let isInDoubt = answers.last?.outcome == .inDoubt && !binding.repeatable
        let detail = answers.last?.detail ?? "the run ended before it was called"
        return HookLeftUndone(
            runID: runID, place: place, stage: binding.stage, timing: binding.timing,
            pack: binding.pack, detail: detail, isInDoubt: isInDoubt ? true : nil)
    }
}

extension ClusterState {
    /// In the order of the stages, then of the policy.
    package var undoneInOrder: [UndoneHook] {
        let order = Dictionary(
            uniqueKeysWithValues: Stage.allCases.enumerated().map { ($1, $0) })
        return undoneHooks.values.sorted {
            (order[$0.body.stage] ?? 0, $0.body.place) < (order[$1.body.stage] ?? 0, $1.body.place)
        }
    }

    mutating func learnUndone(_ body: JournalBody, atMs: Int64) {
        switch body {
        case .hookLeftUndone(let body):
            // Of the run that is about to end, or of one before it, at another place now.
            let known = undoneHooks.values.first { $0.body.runID == body.runID }?.run
            guard let run = run?.runID == body.runID ? run : known else { return }
            undoneHooks[body.place] = UndoneHook(body, run: run, atMs: atMs)
        case .hookSettled(let body): undoneHooks[body.place] = nil
        case .operationIntended(let body):
            let operation = body.operation
            guard operation.kind == .hook, operation.runID == nil,
                let place = undonePlace(of: operation.key)
            else { return }
            undoneHooks[place]?.pending = operation.key
        case .operationFinished(let body):
            guard let place = undonePlace(of: body.operation),
                undoneHooks[place]?.pending == body.operation
            else { return }
            undoneHooks[place]?.pending = nil
            undoneHooks[place]?.attempts += 1
            undoneHooks[place]?.detail = body.result.detail
        default: break
        }
    }

    func undonePlace(of key: OperationKey) -> String? {
        undoneHooks.keys.first { key.rawValue.contains("/\($0)/") }
    }
}
