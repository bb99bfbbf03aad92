/// What can happen to the orchestrator.
package enum Input: Sendable {
    /// This process has the lead, with these clusters.
    case leadershipGained(
        instanceID: String, clusters: [ClusterConfigured], brake: BrakeSettings = BrakeSettings())
    case report(NodeReport)
    case tick
    case operationFinished(OperationKey, ClusterID, OperationResult)
    case request(OperatorRequest)
    case drill(DrillRequest)
    case order(OperatorOrder, by: String)
    case approval(ApprovalAct, by: Principal)
    /// Packs were read anew; the clusters' policies name their digests.
    case hookPacksChanged(HookPacksChanged, clusters: [ClusterConfigured], requestedBy: String)
    case hookNotified(HookNotification)
    case hookEffect(HookEffectIntended, ClusterID)
    case alertDelivered(AlertDelivered)
    case alertDead(AlertDead)
    /// The journal's head was signed.
    case checkpointed(Checkpoint)
    /// An agent keeps a checkpoint that the journal does not bear out.
    case witnessAlarmed(WitnessAlarm, ClusterID)
    case journalRestored(JournalRestored)
    case tokenCreated(AccessToken)
    case tokenRevoked(TokenID, reason: String, by: String)
    case tokenClaimed(TokenClaim)
    case loginRefused(LoginRefused)
    case credentialUsed(CredentialUsed, by: String)
}

/// The holder of a token wants one that they alone know.
package struct TokenClaim: Hashable, Sendable {
    package var tokenID: TokenID
    /// Of the new secret.
    package var sha256: String
    package var address: String
    /// The owner has shown who they are in another way than by tokens.
    package var ownerHasCertificate: Bool

    package init(tokenID: TokenID, sha256: String, address: String, ownerHasCertificate: Bool) {
        self.tokenID = tokenID
        self.sha256 = sha256
        self.address = address
        self.ownerHasCertificate = ownerHasCertificate
    }
}

/// A person's (or their automation's) wish.
package struct OperatorRequest: Hashable, Sendable {
    package var clusterID: ClusterID
    package var kind: PlanKind
    package var targetNodeID: NodeID?
    package var reason: String
    package var requestedBy: Principal
    /// The target may lag more than `rpo_s` allows, if others accept that too.
    package var acceptsDataLoss: Bool
    /// Past every approval, with a second admin.
    package var isBreakGlass: Bool
    /// Refused when the plan would do another thing now. `nil`: whatever the policy chooses.
    package var expectedPlan: Plan?

    package init(
        clusterID: ClusterID, kind: PlanKind, targetNodeID: NodeID?, reason: String,
        requestedBy: Principal, acceptsDataLoss: Bool = false, isBreakGlass: Bool = false,
        expectedPlan: Plan? = nil
    ) {
        self.expectedPlan = expectedPlan
        self.clusterID = clusterID
        self.kind = kind
        self.targetNodeID = targetNodeID
        self.reason = reason
        self.requestedBy = requestedBy
        self.acceptsDataLoss = acceptsDataLoss
        self.isBreakGlass = isBreakGlass
    }
}

/// A hook asks, through the broker, for a notification. `index` counts the notifications of one
/// invocation, so that a repeated invocation asks for the same alert again.
package struct HookNotification: Hashable, Sendable {
    package var operation: OperationKey
    package var clusterID: ClusterID
    package var runID: RunID?
    package var pack: String
    package var index: Int
    package var channel: String
    package var severity: Alert.Severity
    package var summary: String
    package var data: JSONValue

    package init(
        operation: OperationKey, clusterID: ClusterID, runID: RunID?, pack: String, index: Int,
        channel: String, severity: Alert.Severity, summary: String, data: JSONValue
    ) {
        self.operation = operation
        self.clusterID = clusterID
        self.runID = runID
        self.pack = pack
        self.index = index
        self.channel = channel
        self.severity = severity
        self.summary = summary
        self.data = data
    }
}

/// Something to be done outside, released only when the entries of the same step are durable.
package enum Effect: Sendable {
    case command(AgentCommand, agentURL: String)
    case hook(HookCall)
    case deliver(Alert, channel: String)
}

/// One hook invocation, complete: the shell needs nothing else to carry it out.
package struct HookCall: Hashable, Sendable {
    package var operation: Operation
    package var clusterID: ClusterID
    package var binding: HookBinding
    /// `ctx`, as the hook sees it. What the shell needs of it stands beside it as it is.
    package var context: JSONValue
    package var plan: Plan
    /// As the journal has it, not as the files may say meanwhile.
    package var cluster: Cluster
    /// The services that the context shows, in a drill as it pretends them to be.
    package var services: [NodeID: ServiceReport]
    /// The leadership that its orders to agents name.
    package var epoch: Int64
    package var instanceID: String
    /// Its effects are recorded instead of carried out.
    package var isDrill = false
}

package enum Reply: Hashable, Sendable {
    case report(ReportReply)
    /// The hook's effect is journaled and may leave.
    case effectIntended
    /// Nobody waits for the hook any more: its effect must not leave.
    case effectTooLate
    case accepted(runID: RunID, planID: PlanID)
    /// Others must agree first.
    case awaitingApproval(PendingApproval)
    case drillAccepted(drillID: RunID, planID: PlanID)
    case hookPacksChanged(HookPacksChanged)
    case refused(PlanRefusal)
    /// An order was taken; `seq` is its entry.
    case noted(seq: Int64)
    /// A move was arranged; `approval`: others must agree to it before it is due.
    case arranged(seq: Int64, approval: PendingApproval?)
    case problem(OrderProblem)
    case token(AccessToken)
    case tokenRefused(String)
    case unknownCluster(ClusterID)
    case unknownNode(NodeID)
}

/// What one input led to.
package struct StepResult: Sendable {
    /// To be made durable, in order, before any effect leaves.
    package var entries: [JournalEntry] = []
    package var effects: [Effect] = []
    package var reply: Reply?
    /// Whether tokens were made or ended, so that whoever keeps them by digest looks again.
    package var changesTokens = false
}
