import ContinuityBroker
import ContinuityCore
import ContinuityHooks

/// One hook call's way to the journal and to the agents of its cluster.
struct ServerBrokerPort: BrokerPort {
    let call: HookCall
    let cluster: Cluster?
    let inbox: Inbox
    let send: @Sendable (AgentCommand, String) async -> CommandResult

    func nowMs() -> Int64 { SystemClock.now().utcMs }

    func intend(_ hostCall: HookHostCall) async throws(CallFailure) {
        let intent = HookEffectIntended(
            operation: call.operation.key, runID: call.operation.runID, pack: call.binding.pack,
            digests: call.binding.digests, sequence: hostCall.sequence, call: hostCall.name,
            arguments: hostCall.arguments)
        guard try await ask(.hookEffect(intent, call.clusterID)) == .effectIntended else {
            throw CallFailure("the run is over, so nothing was done", code: "unavailable")
        }
    }

    /// Durable before the hook hears that it is.
    func notify(_ hostCall: HookHostCall) async throws(CallFailure) {
        let severity = hostCall.arguments["severity"]?.string.flatMap(Alert.Severity.init)
        _ = try await ask(
            .hookNotified(
                HookNotification(
                    operation: call.operation.key, clusterID: call.clusterID,
                    runID: call.operation.runID, pack: call.binding.pack,
                    index: Int(hostCall.sequence),
                    channel: hostCall.arguments["channel"]?.string ?? "",
                    severity: severity ?? .info,
                    summary: hostCall.arguments["summary"]?.string ?? "",
                    data: hostCall.arguments["data"] ?? .null)))
    }

    private func ask(_ input: Input) async throws(CallFailure) -> Reply? {
        do {
            return try await inbox.ask(input)
        } catch {
            throw CallFailure("\(error)", code: "unavailable")
        }
    }

    func command(
        _ name: AgentCommand.Name, on node: NodeID, timeoutMs: Int64, _ hostCall: HookHostCall
    ) async throws(CallFailure) -> CommandResult {
        guard let url = cluster?.node(node)?.agentURL else {
            throw CallFailure(
                "'\(node)' is no node of this cluster with an agent", code: "invalid")
        }
        let key = OperationKey("\(call.operation.key.rawValue)/call-\(hostCall.sequence)")
        return await send(
            AgentCommand(
                key: key, clusterID: call.clusterID, nodeID: node,
                epoch: call.context["epoch"]?.int ?? 0, name: name, timeoutMs: timeoutMs), url)
    }
}
