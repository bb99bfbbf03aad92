import ContinuityBroker
import ContinuityCore
import ContinuityHooks
import Foundation

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

    // MARK: Agents

    /// The journaled plan stands in the hook's own context: what the hook saw is what holds.
    private var plan: JSONValue { call.context["plan"] ?? .null }

    func permit(_ order: AgentOrder) throws(CallFailure) {
        guard let stage = call.operation.stage, let kind = plan["kind"]?.string,
            let rule = PlanKind(rawValue: kind).map({
                HookCommandRule(
                    stage: stage, timing: call.binding.timing, kind: $0,
                    primary: NodeID(plan["primary_node_id"]?.string ?? ""),
                    target: NodeID(plan["failover_target_id"]?.string ?? ""))
            })
        else { throw CallFailure("the call belongs to no run", code: "unavailable") }
        _ = try agent(of: order)
        if let objection = rule.objection(to: order.name, on: order.node) {
            throw CallFailure(objection, code: "refused")
        }
    }

    func pretended(_ order: AgentOrder) -> ServiceReport? {
        order.name == .own ? nil : order.name.applied(to: seen(order.node))
    }

    /// The service of a node as this hook's context shows it.
    private func seen(_ node: NodeID) -> ServiceReport? {
        let nodes = call.context["cluster"]?["nodes"]?.array ?? []
        return nodes.first { $0["node_id"]?.string == node.rawValue }?["service"].flatMap {
            try? JSONDecoder().decode(ServiceReport.self, from: Data(CanonicalJSON.bytes($0)))
        }
    }

    private func agent(of order: AgentOrder) throws(CallFailure) -> String {
        guard let url = cluster?.node(order.node)?.agentURL else {
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
        let target = NodeID(plan["failover_target_id"]?.string ?? "")
        let source = order.name == .follow ? target : nil
        let command =
            AgentCommand(
                key: key, clusterID: call.clusterID, nodeID: order.node,
                epoch: call.context["epoch"]?.int ?? 0, instanceID: call.instanceID,
                name: order.name,
                primaryAddress: source.flatMap { cluster?.node($0)?.serviceAddress },
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
