/// How a run ended.
package enum RunOutcome: String, Codable, Hashable, Sendable {
    case committed
    case rolledBack = "rolled_back"
    case failed
    /// A policy said no, or the plan did not hold any more.
    case refused
}

package enum RunPhase: String, Codable, Hashable, Sendable {
    case requested, running, verifying
    case rollingBack = "rolling_back"
}

/// What shows that the old primary cannot accept a write any more.
package enum FenceProof: String, Codable, Hashable, Sendable {
    /// Its agent has stopped the service and found nothing of it alive.
    case receipt
    /// Its lease and the clock margin have run out; a lease that nobody renews ends with the
    /// agent stopping the service.
    case leaseExpired = "lease_expired"
}

/// A run under way: the fold of its entries.
package struct RunState: Hashable, Sendable {
    package var runID: RunID
    package var kind: PlanKind
    package var plan: Plan
    package var trigger: RunTrigger
    package var requestedBy: String
    package var reason: String
    package var requestedAtMs: Int64
    package var deadlineAtMs: Int64
    /// Whether people have accepted that acknowledged writes may be lost.
    package var mayLoseData: Bool
    /// Two admins have taken it on themselves that the old primary is stopped.
    package var isBreakGlass: Bool
    package var phase: RunPhase = .requested
    package var operations: [OperationKey: Operation] = [:]
    package var results: [OperationKey: OperationResult] = [:]
    package var verdicts: [PolicyVerdict] = []
    /// Whether the target was named, so that scores do not change it.
    package var targetIsFixed: Bool
    /// Whether the plan is made with what the policies said of the candidates.
    package var isScored = false
    /// Targets that the run could not use, with nothing begun there.
    package var failedTargets: Set<NodeID> = []
    /// How often the policies are asked: again when their scores led to another target.
    package var admissionRound = 1
    package var awaitsLease = false
    package var fenceProof: FenceProof?
    /// Whether the target became primary: from here on nothing is blindly undone.
    package var promoted = false
    package var verification: Verification?
    package var rollbackReason: String?
    package var alerts: Set<AlertID> = []
    package var stageStarts: [StageStart] = []

    package struct StageStart: Hashable, Sendable {
        package var stage: Stage
        package var atMs: Int64

        package init(stage: Stage, atMs: Int64) {
            self.stage = stage
            self.atMs = atMs
        }
    }

    package init(_ body: RunRequested, atMs: Int64) {
        runID = body.runID
        kind = body.kind
        plan = body.plan
        trigger = body.trigger
        requestedBy = body.requestedBy
        reason = body.reason
        targetIsFixed = body.targetIsFixed ?? false
        requestedAtMs = atMs
        deadlineAtMs = body.deadlineAtMs
        mayLoseData = body.acceptedLoss != nil || body.isBreakGlass == true
        isBreakGlass = body.isBreakGlass == true
    }

    package var pendingOperations: [Operation] {
        operations.values.filter { results[$0.key] == nil }.sorted { $0.key < $1.key }
    }

    /// Takes one entry that concerns the run; others change nothing.
    mutating func evolve(_ body: JournalBody, atMs: Int64) {
        switch body {
        case .runReplanned(let body):
            if body.reason != nil {
                failedTargets.insert(body.fromNodeID)
                // The policies and checks speak of a target: they are asked about the next one.
                phase = .requested
            }
            if body.plan.failoverTargetID != plan.failoverTargetID { admissionRound += 1 }
            plan = body.plan
            isScored = true
        case .runAdmitted(let body):
            verdicts = body.verdicts
            phase = .running
        case .operationIntended(let body):
            operations[body.operation.key] = body.operation
            enter(body.operation.stage, atMs: atMs)
        case .operationFinished(let body):
            if operations[body.operation] != nil { results[body.operation] = body.result }
        case .leaseAwaited:
            awaitsLease = true
            enter(.demote, atMs: atMs)
        case .fenceProven(let body):
            fenceProof = body.proof
            enter(.demote, atMs: atMs)
        case .primaryChanged, .weightsShifted: promoted = true
        case .rollbackStarted(let body):
            phase = .rollingBack
            rollbackReason = body.reason
            enter(.rollback, atMs: atMs)
        case .runVerified(let body):
            verification = body.verification
            phase = .verifying
        case .alertQueued(let body): alerts.insert(body.alert.alertID)
        default: break
        }
    }

    mutating func enter(_ stage: Stage?, atMs: Int64) {
        guard let stage, !stageStarts.contains(where: { $0.stage == stage }) else { return }
        stageStarts.append(StageStart(stage: stage, atMs: atMs))
    }

    /// Why the run's end speaks against its target; `nil` when it does not: the old primary could
    /// not be fenced, say.
    func reasonAgainstTarget(_ reason: String) -> String? {
        let wasTried = operations.values.contains {
            $0.stage == .promote && $0.nodeID == plan.failoverTargetID
        }
        return (kind == .failover || kind == .switchover) && wasTried && !promoted ? reason : nil
    }

    /// How long each stage took, in milliseconds, by stage name; a stage lasts until the next
    /// one begins.
    package func phasesMs(endMs: Int64) -> [String: Int64] {
        var phases: [String: Int64] = [:]
        let ends = stageStarts.dropFirst().map(\.atMs) + [endMs]
        for (start, end) in zip(stageStarts, ends) {
            phases[start.stage.rawValue] = max(0, end -| start.atMs)
        }
        return phases
    }
}

/// What is remembered of a run that has ended.
package struct RunSummary: Codable, Hashable, Sendable {
    package var runID: RunID
    package var planID: PlanID
    package var kind: PlanKind
    package var state: RunOutcome
    package var reason: String
    package var fromNodeID: NodeID
    package var toNodeID: NodeID
    package var confidence: Int64?
    package var fenceProof: FenceProof?
    package var startedAtMs: Int64
    package var finishedAtMs: Int64
    /// Why the confidence is not 100; `nil`: it was not verified.
    package var deductions: [String]?
    /// Hooks and commands of the run that did not end well.
    package var troubles: [String]?

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case planID = "plan_id"
        case kind, state, reason, deductions, troubles
        case fromNodeID = "from_node_id"
        case toNodeID = "to_node_id"
        case confidence
        case fenceProof = "fence_proof"
        case startedAtMs = "started_at_ms"
        case finishedAtMs = "finished_at_ms"
    }
}
