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
    /// Has the agent of a node of this cluster carry out a command, under the run's epoch and a key
    /// that follows from the call.
    func command(
        _ name: AgentCommand.Name, on node: NodeID, timeoutMs: Int64, _ call: HookHostCall
    ) async throws(CallFailure) -> CommandResult
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
                guard mode == .live else { return .wouldDo(CapabilityCatalogue.stub(call.name)) }
                // An alert is its own record. Anything else is journaled before it leaves.
                if call.name != "notify" { try await port.intend(call) }
            }
            return .ok(try await carryOut(call))
        } catch {
            return .failed(message: secrets.scrub(error.message), code: error.code)
        }
    }

    private func carryOut(_ call: HookHostCall) async throws(CallFailure) -> JSONValue {
        switch call.name {
        case "now": return .int(port.nowMs())
        case "http.request": return try await HTTPCall(broker: self, call: call).perform()
        case "dns.lookup": return try await DNSCall(broker: self, call: call).lookup()
        case "dns.update": return try await DNSCall(broker: self, call: call).update()
        case "haproxy.command": return try await HAProxyCall(call).perform()
        case "agent.command": return try await command(call)
        case "notify":
            try await port.notify(call)
            return true
        default: throw CallFailure("there is no call '\(call.name)'", code: "invalid")
        }
    }

    private func command(_ call: HookHostCall) async throws(CallFailure) -> JSONValue {
        guard let name = call.arguments["command"]?.string.flatMap(AgentCommand.Name.init),
            let node = call.arguments["node_id"]?.string
        else { throw CallFailure("agent.command: unknown command", code: "invalid") }
        let result = try await port.command(
            name, on: NodeID(node), timeoutMs: call.arguments["timeout_ms"]?.int ?? 3000, call)
        guard result.outcome == .succeeded else {
            throw CallFailure(
                "\(name.rawValue) on \(node): \(result.outcome.rawValue): \(result.detail)",
                code: result.outcome.rawValue)
        }
        return [
            "detail": .string(result.detail),
            "service": result.service.flatMap { try? JSONValue(encoding: $0) } ?? .null,
        ]
    }
}
