import ContinuityBroker
import ContinuityCore
import ContinuityHooks

/// One hook call's way to the journal and to the agents of its cluster.
struct ServerBrokerPort: BrokerPort {
    let call: HookCall
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

    // MARK: Agents

    func permit(_ order: AgentOrder) throws(CallFailure) {
        guard let stage = call.operation.stage else {
            throw CallFailure("the call belongs to no run", code: "unavailable")
        }
        let rule = HookCommandRule(
            stage: stage, timing: call.binding.timing, kind: call.plan.kind,
            primary: call.plan.primaryNodeID, target: call.plan.failoverTargetID)
        _ = try agent(of: order)
        if let objection = rule.objection(to: order.name, on: order.node) {
            throw CallFailure(objection, code: "refused")
        }
    }

    func pretended(_ order: AgentOrder) -> ServiceReport? {
        order.name == .own ? nil : order.name.applied(to: call.services[order.node])
    }

    private func agent(of order: AgentOrder) throws(CallFailure) -> String {
        guard let url = call.cluster.node(order.node)?.agentURL else {
            throw CallFailure(
                "'\(order.node)' is no node of this cluster with an agent", code: "invalid")
        }
        return url
    }

    func command(
        _ order: AgentOrder, _ hostCall: HookHostCall
    ) async throws(CallFailure) -> CommandResult {
        let url = try agent(of: order)
        let key = OperationKey("\(call.operation.key.rawValue)/call-\(hostCall.sequence)")
        let source = order.name == .follow ? call.plan.failoverTargetID : nil
        let command =
            AgentCommand(
                key: key, clusterID: call.clusterID, nodeID: order.node,
                epoch: call.epoch, instanceID: call.instanceID,
                name: order.name,
                primaryAddress: source.flatMap { call.cluster.node($0)?.serviceAddress },
                primaryNodeID: source, program: order.program,
                readsOnly: order.readsOnly ? true : nil, timeoutMs: order.timeoutMs)
        var result = await send(command, url)
        // The hook would take another order's answer for its own.
        if let mismatch = result.mismatch(with: command) {
            throw CallFailure(
                "\(order.name.rawValue) on \(order.node): \(mismatch)",
                code: hostCall.isEffect ? "in_doubt" : "failed")
        }
        if call.isDrill, order.name == .status { await overlay(&result, order.node) }
        return result
    }

    /// In a drill a reading shows the node as the drill pretends it to be.
    private func overlay(_ result: inout CommandResult, _ node: NodeID) async {
        guard let service = result.service else { return }
        let id = call.clusterID
        let pretended = try? await inbox.query { $0.pretendedInDrill(service, of: node, in: id) }
        result.service = pretended ?? service
    }
}
