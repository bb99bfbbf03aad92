package struct RunRequested: Codable, Hashable, Sendable {
    package var runID: RunID
    package var kind: PlanKind
    package var trigger: RunTrigger
    package var plan: Plan
    package var requestedBy: String
    package var reason: String
    package var deadlineAtMs: Int64
    package var evidence: String
    /// `nil`: nobody else had to agree.
    package var approvalID: ApprovalID?
    /// What others accepted to lose, or, with a broken glass, whatever it is.
    package var acceptedLoss: DataLoss?
    package var isBreakGlass: Bool?
    /// `true`: the target was named, and no policy's scores change it.
    package var targetIsFixed: Bool?

    package init(
        runID: RunID, kind: PlanKind, trigger: RunTrigger, plan: Plan, requestedBy: String,
        reason: String, deadlineAtMs: Int64, evidence: String, targetIsFixed: Bool = false,
        approvalID: ApprovalID? = nil, acceptedLoss: DataLoss? = nil, isBreakGlass: Bool = false
    ) {
        self.targetIsFixed = targetIsFixed ? true : nil
        self.runID = runID
        self.kind = kind
        self.trigger = trigger
        self.plan = plan
        self.requestedBy = requestedBy
        self.reason = reason
        self.deadlineAtMs = deadlineAtMs
        self.evidence = evidence
        self.approvalID = approvalID
        self.acceptedLoss = acceptedLoss
        self.isBreakGlass = isBreakGlass ? true : nil
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case kind
        case trigger
        case plan
        case requestedBy = "requested_by"
        case reason
        case deadlineAtMs = "deadline_at_ms"
        case evidence
        case approvalID = "approval_id"
        case acceptedLoss = "accepted_loss"
        case isBreakGlass = "is_break_glass"
        case targetIsFixed = "target_is_fixed"
    }
}

/// The policies of a run have scored the candidates: the plan that follows from it. Where its
/// target is another one, the policies are asked again about that.
package struct RunReplanned: Codable, Hashable, Sendable {
    package var runID: RunID
    package var fromNodeID: NodeID
    package var plan: Plan
    /// Why the run could not use its target; `nil`: the policies' scores prefer another.
    package var reason: String?

    package init(runID: RunID, fromNodeID: NodeID, plan: Plan, reason: String? = nil) {
        self.runID = runID
        self.fromNodeID = fromNodeID
        self.plan = plan
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case fromNodeID = "from_node_id"
        case plan, reason
    }
}

/// What one policy hook said of a run.
package struct PolicyVerdict: Codable, Hashable, Sendable {
    package enum Verdict: String, Codable, Hashable, Sendable {
        case allow, deny, abstain
    }

    package var pack: String
    package var verdict: Verdict
    package var reason: String

    package init(pack: String, verdict: Verdict, reason: String) {
        self.pack = pack
        self.verdict = verdict
        self.reason = reason
    }
}

package struct RunAdmitted: Codable, Hashable, Sendable {
    package var runID: RunID
    package var policyID: PolicyID
    package var verdicts: [PolicyVerdict]

    package init(runID: RunID, policyID: PolicyID, verdicts: [PolicyVerdict]) {
        self.runID = runID
        self.policyID = policyID
        self.verdicts = verdicts
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case policyID = "policy_id"
        case verdicts
    }
}

/// An effect is about to leave: durable before it does.
package struct OperationIntended: Codable, Hashable, Sendable {
    package var operation: Operation

    package init(operation: Operation) {
        self.operation = operation
    }
}

/// A hook is about to change something outside: durable before it does.
package struct HookEffectIntended: Codable, Hashable, Sendable {
    package var operation: OperationKey
    package var runID: RunID?
    package var pack: String
    package var digests: HookDigests?
    /// Counts the calls of the invocation from 1.
    package var sequence: Int64
    /// As in the catalogue of capabilities.
    package var call: String
    /// Secrets stand in it by name.
    package var arguments: JSONValue

    package init(
        operation: OperationKey, runID: RunID?, pack: String, digests: HookDigests?,
        sequence: Int64, call: String, arguments: JSONValue
    ) {
        self.operation = operation
        self.runID = runID
        self.pack = pack
        self.digests = digests
        self.sequence = sequence
        self.call = call
        self.arguments = arguments
    }

    private enum CodingKeys: String, CodingKey {
        case operation
        case runID = "run_id"
        case pack, digests, sequence, call, arguments
    }
}

/// An effect's result.
package struct OperationFinished: Codable, Hashable, Sendable {
    package var operation: OperationKey
    package var runID: RunID?
    package var stage: Stage?
    package var result: OperationResult

    package init(
        operation: OperationKey, runID: RunID? = nil, stage: Stage? = nil, result: OperationResult
    ) {
        self.operation = operation
        self.runID = runID
        self.stage = stage
        self.result = result
    }

    private enum CodingKeys: String, CodingKey {
        case operation
        case runID = "run_id"
        case stage
        case result
    }
}

/// Nobody can give a receipt: the run waits until the old primary's lease has run out.
package struct LeaseAwaited: Codable, Hashable, Sendable {
    package var runID: RunID
    package var nodeID: NodeID
    /// What is left of lease and margin, in milliseconds.
    package var remainingMs: Int64

    package init(runID: RunID, nodeID: NodeID, remainingMs: Int64) {
        self.runID = runID
        self.nodeID = nodeID
        self.remainingMs = remainingMs
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case nodeID = "node_id"
        case remainingMs = "remaining_ms"
    }
}

/// Proof that the old primary cannot accept a write any more.
package struct FenceProven: Codable, Hashable, Sendable {
    package var runID: RunID
    package var nodeID: NodeID
    package var proof: FenceProof
    package var detail: String

    package init(runID: RunID, nodeID: NodeID, proof: FenceProof, detail: String) {
        self.runID = runID
        self.nodeID = nodeID
        self.proof = proof
        self.detail = detail
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case nodeID = "node_id"
        case proof
        case detail
    }
}

package struct PrimaryChanged: Codable, Hashable, Sendable {
    package var runID: RunID
    package var from: NodeID
    package var to: NodeID
    package var term: Int64

    package init(runID: RunID, from: NodeID, to: NodeID, term: Int64) {
        self.runID = runID
        self.from = from
        self.to = to
        self.term = term
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case from
        case to
        case term
    }
}

package struct RollbackStarted: Codable, Hashable, Sendable {
    package var runID: RunID
    package var reason: String

    package init(runID: RunID, reason: String) {
        self.runID = runID
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case reason
    }
}

package struct RunVerified: Codable, Hashable, Sendable {
    package var runID: RunID
    package var verification: Verification

    package init(runID: RunID, verification: Verification) {
        self.runID = runID
        self.verification = verification
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case verification
    }
}

package struct RunFinished: Codable, Hashable, Sendable {
    package var runID: RunID
    package var state: RunOutcome
    package var reason: String
    package var phasesMs: [String: Int64]
    package var durationMs: Int64
    /// What the policy promises (`rto_s`); a run that takes longer says so in its alert.
    package var rtoMs: Int64
    /// The stage that took longest; `nil` when none was entered.
    package var bottleneck: Stage?

    package init(
        runID: RunID, state: RunOutcome, reason: String, phasesMs: [String: Int64],
        durationMs: Int64, rtoMs: Int64
    ) {
        self.runID = runID
        self.state = state
        self.reason = reason
        self.phasesMs = phasesMs
        self.durationMs = durationMs
        self.rtoMs = rtoMs
        // Equal times: the first by name, so that equal runs give equal bytes.
        bottleneck = phasesMs.min { ($1.value, $0.key) < ($0.value, $1.key) }
            .flatMap { Stage(rawValue: $0.key) }
    }

    package var exceedsRTO: Bool { durationMs > rtoMs }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case state
        case reason
        case phasesMs = "phases_ms"
        case durationMs = "duration_ms"
        case rtoMs = "rto_ms"
        case bottleneck
    }
}
