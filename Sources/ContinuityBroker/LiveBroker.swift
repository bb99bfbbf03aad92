package import ContinuityCore
package import ContinuityHTTP
package import ContinuityHooks

/// What the broker needs of the server around it.
package protocol BrokerPort: Sendable {
    /// UTC milliseconds since 1970.
    func nowMs() -> Int64
    /// Returns once the intent is durable.
    ///
    /// - Throws: `CallFailure` when the hook's run is over, or the journal is not there.
    func intend(_ call: HookHostCall) async throws(CallFailure)
    /// Returns once the alert is durable.
    func notify(_ call: HookHostCall) async throws(CallFailure)
    /// Has the agent of a node of this cluster carry out an order, under the run's epoch and a key
    /// that follows from the call.
    func command(
        _ order: AgentOrder, _ call: HookHostCall
    ) async throws(CallFailure) -> CommandResult
    /// Whether the order may be given at this place in the run, in a drill too.
    ///
    /// - Throws: `CallFailure` with the reason.
    func permit(_ order: AgentOrder) throws(CallFailure)
    /// What the service of the order's node would be afterwards, for a drill; `nil`: unknown.
    func pretended(_ order: AgentOrder) -> ServiceReport?
}

/// What a hook asks of the agent of a node.
package struct AgentOrder: Hashable, Sendable {
    package var node: NodeID
    package var name: AgentCommand.Name
    /// With `own`.
    package var program: String?
    package var readsOnly: Bool
    package var timeoutMs: Int64

    static let timeoutDefaultMs: Int64 = 3000

    init?(_ call: HookHostCall) {
        readsOnly = call.name == "agent.read"
        guard let node = call.arguments["node_id"]?.string,
            let text = call.arguments[readsOnly ? "name" : "command"]?.string
        else { return nil }
        self.node = NodeID(node)
        name = AgentCommand.Name(rawValue: text) ?? .own
        program = name == .own ? text : nil
        timeoutMs = call.arguments["timeout_ms"]?.int ?? Self.timeoutDefaultMs
    }

    /// As the script named it.
    var title: String { program ?? name.rawValue }
}

/// Carries out what one hook call asks for. Whether it may was checked by the runtime; what only
/// shows on the way (addresses, redirects, the destination of a secret) is checked here.
package struct LiveBroker: HookBroker {
    package enum Mode: Sendable {
        case live
        /// Reads go through; effects are answered with the catalogue's stub, and nothing happens.
        case drill
    }

    let mode: Mode
    let http: HTTPClient
    let secrets: SecretStore
    let port: any BrokerPort

    package init(mode: Mode, http: HTTPClient, secrets: SecretStore, port: any BrokerPort) {
        self.mode = mode
        self.http = http
        self.secrets = secrets
        self.port = port
    }

    package func perform(_ call: HookHostCall) async -> HookHostReply {
        do throws(CallFailure) {
            if call.isEffect {
                let order = call.name == "agent.command" ? AgentOrder(call) : nil
                if let order { try port.permit(order) }
                guard mode == .live else {
                    try await rehearse(call)
                    return .wouldDo(stub(call, order))
                }
                // An alert is its own record. Anything else is journaled before it leaves.
                if call.name != "notify" { try await port.intend(call) }
            }
            return .ok(try withheld(try await carryOut(call), call))
        } catch {
            return .failed(message: secrets.safe(error.message), code: error.code)
        }
    }

    /// In a drill: what the effect needs before anything leaves. Its failure is that of the earnest
    /// case.
    private func rehearse(_ call: HookHostCall) async throws(CallFailure) {
        switch call.name {
        case "http.request": try await HTTPCall(broker: self, call: call).rehearse()
        case "dns.update": try DNSCall(broker: self, call: call).rehearse()
        default: break
        }
    }

    /// The answer, unless a secret stands in it: then a reading fails, and an effect, which took
    /// place, is answered without a word of it. HTTP looks by itself, at the bytes as they came.
    private func withheld(
        _ answer: JSONValue, _ call: HookHostCall
    ) throws(CallFailure) -> JSONValue {
        guard call.name != "http.request",
            let name = secrets.secret(in: CanonicalJSON.bytes(answer))
        else { return answer }
        guard call.isEffect, let members = answer.object else {
            throw CallFailure(
                "\(call.name): the answer is withheld: it held the secret '\(name)'",
                code: call.isEffect ? "in_doubt" : "withheld")
        }
        return .object(members.mapValues { $0.string == nil ? .null : "" })
    }

    private func carryOut(_ call: HookHostCall) async throws(CallFailure) -> JSONValue {
        switch call.name {
        case "now": return .int(port.nowMs())
        case "http.request": return try await HTTPCall(broker: self, call: call).perform()
        case "dns.lookup": return try await DNSCall(broker: self, call: call).lookup()
        case "dns.update": return try await DNSCall(broker: self, call: call).update()
        case "haproxy.command": return try await HAProxyCall(call).perform()
        case "agent.command", "agent.read": return try await command(call)
        case "notify":
            try await port.notify(call)
            return true
        default: throw CallFailure("there is no call '\(call.name)'", code: "invalid")
        }
    }

    private func command(_ call: HookHostCall) async throws(CallFailure) -> JSONValue {
        guard let order = AgentOrder(call) else {
            throw CallFailure("\(call.name): unknown command", code: "invalid")
        }
        let result = try await port.command(order, call)
        guard result.outcome == .succeeded else {
            throw CallFailure(
                "\(order.title) on \(order.node): \(result.outcome.rawValue): \(result.detail)",
                code: result.outcome.rawValue)
        }
        let output = result.output.map { JSONValue.string($0) }
        guard order.readsOnly else {
            return Self.answer(result.detail, result.service, output)
        }
        var reading: [String: JSONValue] = ["output": output ?? ""]
        reading["json"] = ForeignJSON.value(output?.string ?? "")
        return .object(reading)
    }

    private func stub(_ call: HookHostCall, _ order: AgentOrder?) -> JSONValue {
        guard let order else { return CapabilityCatalogue.stub(call.name) }
        return Self.answer(
            "drill: not sent", port.pretended(order), order.name == .own ? "" : nil)
    }

    private static func answer(
        _ detail: String, _ service: ServiceReport?, _ output: JSONValue?
    ) -> JSONValue {
        var answer: [String: JSONValue] = ["detail": .string(detail)]
        answer["service"] = service.flatMap { try? JSONValue(encoding: $0) } ?? .null
        answer["output"] = output
        return .object(answer)
    }
}
