/// Orders whose work is as long as the data is. Their time-out bounds one asking, not the work: as
/// long as the agent reports the order as under way it is asked for again under its key.
extension Orchestrator {
    private static let askAgainMs: Int64 = 5000

    /// Whether an order goes on although this asking for it had no answer. Then it is not over.
    mutating func goesOn(
        _ operation: Operation, _ result: OperationResult, _ id: ClusterID, _ now: Moment
    ) -> Bool {
        guard result.outcome == .timedOut || result.outcome == .unreachable,
            operation.runID == nil, operation.command?.isAsLongAsData == true,
            let node = operation.nodeID, isHeard(node, in: id, now),
            observations[id]?.nodes[node]?.report?.work?.key == operation.key
        else { return false }
        observations[id]?.laterOperations[operation.key] = now.monotonicMs +| Self.askAgainMs
        return true
    }

    /// Asks again. Who has ended meanwhile answers with what came of it.
    mutating func askAgain(_ id: ClusterID, _ now: Moment) {
        guard let later = observations[id]?.laterOperations, !later.isEmpty else { return }
        for (key, atMs) in later.sorted(by: { $0.key < $1.key }) where now.monotonicMs >= atMs {
            observations[id]?.laterOperations[key] = nil
            guard let operation = state.clusters[id]?.upkeep[key] else { continue }
            dispatch(operation, id, now)
        }
    }

    /// Whether the node's agent is at work that a new order would end halfway.
    func isAtLongWork(_ report: NodeReport) -> Bool {
        report.work.flatMap { AgentCommand.Name(rawValue: $0.command) }?.isAsLongAsData == true
    }
}
