/// What can happen to the orchestrator.
package enum Input: Sendable {
    /// This process has the lead, with these clusters.
    case leadershipGained(instanceID: String, clusters: [ClusterConfigured])
    case report(NodeReport)
    case tick
    case operationFinished(OperationKey, ClusterID, OperationResult)
    case request(OperatorRequest)
    case drill(DrillRequest)
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
}

/// A person's (or their automation's) wish.
package struct OperatorRequest: Hashable, Sendable {
    package var clusterID: ClusterID
    package var kind: PlanKind
    package var targetNodeID: NodeID?
    package var reason: String
    package var requestedBy: String

    package init(
        clusterID: ClusterID, kind: PlanKind, targetNodeID: NodeID?, reason: String,
        requestedBy: String
    ) {
        self.clusterID = clusterID
        self.kind = kind
        self.targetNodeID = targetNodeID
        self.reason = reason
        self.requestedBy = requestedBy
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
    package var context: JSONValue
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
    case drillAccepted(drillID: RunID, planID: PlanID)
    case hookPacksChanged(HookPacksChanged)
    case refused(PlanRefusal)
    case unknownCluster(ClusterID)
    case unknownNode(NodeID)
}

/// What one input led to.
package struct StepResult: Sendable {
    /// To be made durable, in order, before any effect leaves.
    package var entries: [JournalEntry] = []
    package var effects: [Effect] = []
    package var reply: Reply?
}
