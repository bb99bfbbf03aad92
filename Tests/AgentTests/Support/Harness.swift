import ContinuityCore
import ContinuityHTTP
import Foundation
import Logging
import ServiceLifecycle
import Testing

@testable import ContinuityAgent

/// One agent with its service and its orchestrator, all real, on loopback ports.
struct Harness: Sendable {
    let service: StandInService
    let orchestrator: FakeOrchestrator
    let agent: Agent
    let http: HTTPClient
    let shutDown: @Sendable () async -> Void

    static let clusterID: ClusterID = "orders"

    var url: String { "http://127.0.0.1:\(agent.port ?? 0)" }

    /// Runs `body` beside a running agent, then shuts the agent down and waits for its end.
    static func run(
        node: NodeID = "n1", service: StandInService? = nil,
        configure: (inout AgentConfiguration, StandInService) -> Void = { _, _ in },
        body: @Sendable (Harness) async throws -> Void
    ) async throws {
        let service = try service ?? StandInService()
        let orchestrator = FakeOrchestrator()
        try await withThrowingTaskGroup(of: Void.self) { group in
            let serving = ServiceGroup(
                services: [orchestrator], logger: Logger(label: "orchestrator"))
            group.addTask { try await serving.run() }
            try await eventually("the orchestrator listens") { orchestrator.port != nil }
            var configuration = Self.configuration(
                node: node, service: service, orchestratorPort: orchestrator.port ?? 0)
            configure(&configuration, service)
            var logger = Logger(label: "agent")
            logger.logLevel = .critical
            let agent = try Agent(configuration: configuration, logger: logger)
            let lifecycle = ServiceGroup(services: [agent], logger: logger)
            group.addTask { try await lifecycle.run() }
            try await eventually("the agent listens") { agent.port != nil }
            let harness = Harness(
                service: service, orchestrator: orchestrator, agent: agent,
                http: HTTPClient(maxConcurrent: 8),
                shutDown: { await lifecycle.triggerGracefulShutdown() })
            var failure: (any Error)?
            do {
                try await body(harness)
            } catch {
                failure = error
            }
            await lifecycle.triggerGracefulShutdown()
            _ = try await group.next()
            await serving.triggerGracefulShutdown()
            try await group.waitForAll()
            if let failure { throw failure }
        }
    }

    static func configuration(
        node: NodeID, service: StandInService, orchestratorPort: Int
    ) -> AgentConfiguration {
        AgentConfiguration(
            clusterID: clusterID, nodeID: node,
            orchestrators: ["http://127.0.0.1:\(orchestratorPort)"],
            token: FakeOrchestrator.token, listen: Endpoint(host: "127.0.0.1", port: 0),
            stateFile: service.stateFile,
            service: .init(
                address: Endpoint(host: "127.0.0.1", port: 1), pidFile: service.pidFile,
                directory: service.directory, probeTimeoutMs: 2000, probesTCP: false),
            commands: [
                .status: CommandTemplate(
                    argv: ["/bin/cat", service.statusFile], timeoutMs: 10_000),
                .demote: service.logged("demote", then: service.stopScript()),
                .promote: service.logged("promote", then: service.becomeScript(.primary)),
            ],
            onShutdown: .leave)
    }

    func get(_ path: String) async throws -> HTTPResponse {
        try await http.send(HTTPRequest(url: url + path, timeout: .seconds(10)))
    }

    func post(
        _ path: String, _ body: some Encodable, token: String = FakeOrchestrator.token,
        timeout: Duration = .seconds(60)
    ) async throws -> HTTPResponse {
        try await http.send(
            HTTPRequest(
                method: "POST", url: url + path,
                headers: [
                    "Authorization": "Bearer \(token)", "Content-Type": "application/json",
                ],
                body: CanonicalJSON.bytes(encoding: body), timeout: timeout))
    }

    func order(
        _ name: AgentCommand.Name, key: OperationKey? = nil, epoch: Int64 = 1,
        node: NodeID = "n1", leaseMs: Int64? = nil, timeoutMs: Int64 = 30_000,
        change: (inout AgentCommand) -> Void = { _ in }
    ) async throws -> CommandResult {
        var command = AgentCommand(
            key: key ?? OperationKey(UUID().uuidString), clusterID: Self.clusterID, nodeID: node,
            epoch: epoch, name: name, leaseMs: leaseMs, timeoutMs: timeoutMs)
        change(&command)
        let response = try await post("/v1/commands", command)
        #expect(response.status == 200)
        return try JSONDecoder().decode(CommandResult.self, from: Data(response.body))
    }

    func reported(
        _ what: String, _ condition: @Sendable (NodeReport) -> Bool
    ) async throws {
        try await eventually("a report of \(what)") { orchestrator.last.map(condition) ?? false }
    }

    func running(as role: ServiceReport.Role) async throws {
        try await reported("a running \(role)") {
            $0.service.state == .running && $0.service.role == role
        }
    }
}
