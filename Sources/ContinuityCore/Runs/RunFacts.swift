/// What the journal says of one run: the fold of its entries, for those who ask how it went.
package struct RunFacts: Hashable, Sendable {
    package let request: RunRequested
    package let requestedAtMs: Int64
    /// As the policies' scores left it.
    package private(set) var plan: Plan
    package private(set) var verification: Verification?
    /// `nil`: it has not ended.
    package private(set) var end: RunFinished?
    package private(set) var endedAtMs: Int64?
    private var operations: [OperationKey: Operation] = [:]
    /// By what was tried, so that a later success makes up for an earlier failure.
    private var lastOutcomes: [Attempt: Bool] = [:]
    private var stages: Set<Stage> = []

    /// What was tried, where and on whom.
    private struct Attempt: Hashable {
        var stage: Stage
        var pack: String?
        var command: AgentCommand.Name?
        var node: NodeID?
    }

    package init(_ request: RunRequested, atMs: Int64) {
        self.request = request
        requestedAtMs = atMs
        plan = request.plan
    }

    /// Takes one entry; those of other runs change nothing.
    package mutating func take(_ body: JournalBody, atMs: Int64) {
        switch body {
        case .runReplanned(let body) where body.runID == request.runID: plan = body.plan
        case .operationIntended(let body) where body.operation.runID == request.runID:
            operations[body.operation.key] = body.operation
            if let stage = body.operation.stage { stages.insert(stage) }
        case .operationFinished(let body):
            guard let operation = operations[body.operation], let stage = operation.stage else {
                return
            }
            let attempt = Attempt(
                stage: stage, pack: operation.pack, command: operation.command,
                node: operation.nodeID)
            lastOutcomes[attempt] = body.result.outcome == .ok
        case .runVerified(let body) where body.runID == request.runID:
            verification = body.verification
        case .runFinished(let body) where body.runID == request.runID:
            end = body
            endedAtMs = atMs
        default: break
        }
    }

    package var isSuccess: Bool { end?.state == .committed }

    /// The plan's actions that the run came to, in order. One without a part for anybody (no hook
    /// is bound to `dns_flip`, say) is passed through at once.
    private var reached: ArraySlice<PlannedAction> {
        guard !isSuccess else { return plan.actions[...] }
        let last = plan.actions.lastIndex { stages.contains($0.action.stage) }
        return plan.actions[..<(last.map { $0 + 1 } ?? 0)]
    }

    private var failed: Int {
        let broken = Set(lastOutcomes.filter { !$0.value }.map(\.key.stage))
        let count = reached.count { broken.contains($0.action.stage) }
        // What ended the run need not be an operation: a deadline, a lease that did not end.
        return count == 0 && end?.state == .failed && !reached.isEmpty ? 1 : count
    }

    package var actionsFailed: Int { failed }
    package var actionsExecuted: Int { reached.count - failed }
}

extension ActionType {
    /// The stage of a run that carries the action out.
    fileprivate var stage: Stage? { Stage(rawValue: rawValue) }
}

extension Set<Stage> {
    fileprivate func contains(_ stage: Stage?) -> Bool { stage.map { contains($0) } ?? false }
}

extension Verification {
    /// Whether a check took nothing off.
    package func isOk(_ check: Check) -> Bool { !deductions.contains { $0.check == check } }
}
