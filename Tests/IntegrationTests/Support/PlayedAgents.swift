import ContinuityCore
import ContinuityHTTP
import Foundation
import Hummingbird
import Logging
import Synchronization

/// Agents of all nodes, played by the test: they report to a real `serve` several times a second
/// and carry out its orders on services that only exist here.
final class PlayedAgents: Sendable {
    private struct State {
        var services: [NodeID: ServiceReport] = [:]
        var orders: [AgentCommand] = []
        var leases: [NodeID: Int] = [:]
        var refused: Set<AgentCommand.Name> = []
        var delayed: Set<AgentCommand.Name> = []
        /// What is answered in place of results, one after the other; what was ordered is done.
        var statuses: [AgentCommand.Name: [Int]] = [:]
    }

    private let port: Int
    private let fixture: ServeFixture
    private let state: Mutex<State>

    init(_ fixture: ServeFixture, roles: [NodeID: ServiceReport.Role]) {
        self.fixture = fixture
        port = fixture.agentPort
        var state = State()
        for (node, role) in roles {
            state.services[node] = ServiceReport(
                state: .running, role: role, positionBytes: 1, lagMs: 0,
                streaming: role == .secondary)
        }
        self.state = Mutex(state)
    }

    convenience init(_ fixture: ServeFixture) {
        self.init(
            fixture, roles: ["node-1": .primary, "node-2": .secondary, "node-3": .secondary])
    }

    var orders: [AgentCommand] { state.withLock { $0.orders } }
    /// How many answers granted a lease to the node.
    func leases(_ node: NodeID) -> Int { state.withLock { $0.leases[node] ?? 0 } }

    func refuses(_ command: AgentCommand.Name, _ refuses: Bool) {
        state.withLock {
            if refuses { $0.refused.insert(command) } else { $0.refused.remove(command) }
        }
    }

    /// Orders of this kind are carried out, and their answers get lost on the way: these come in
    /// their place, one for each sending.
    func answers(_ command: AgentCommand.Name, with statuses: [Int]) {
        state.withLock { $0.statuses[command] = statuses }
    }

    /// While a command is delayed, its order is not answered.
    func delays(_ command: AgentCommand.Name, _ delays: Bool) {
        state.withLock {
            if delays { $0.delayed.insert(command) } else { $0.delayed.remove(command) }
        }
    }

    func set(_ node: NodeID, _ service: ServiceReport.State) {
        state.withLock {
            $0.services[node]?.state = service
            if service == .stopped { $0.services[node]?.streaming = false }
        }
    }

    /// How far a service is behind, in milliseconds, and how far it has got, in bytes.
    func set(_ node: NodeID, lagMs: Int64, positionBytes: Int64) {
        state.withLock {
            $0.services[node]?.lagMs = lagMs
            $0.services[node]?.positionBytes = positionBytes
        }
    }

    /// Runs `body` beside agents that live.
    func live(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await self.listen() }
            group.addTask { try await self.report() }
            try await body()
            group.cancelAll()
        }
    }

    private func report() async throws {
        var sequence: Int64 = 0
        while !Task.isCancelled {
            sequence += 1
            for (node, service) in state.withLock({ $0.services }).sorted(by: { $0.key < $1.key }) {
                let report = NodeReport(
                    clusterID: "demo", nodeID: node, bootID: "played", sequence: sequence,
                    highestEpoch: 0, service: service, peers: [:])
                // The server may be away: the next report comes soon.
                let answer = try? await fixture.send(
                    "POST", "agent/report", body: CanonicalJSON.bytes(encoding: report))
                if answer?.json["lease_ms"]?.int != nil {
                    state.withLock { $0.leases[node, default: 0] += 1 }
                }
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func listen() async throws {
        let router = Router()
        router.post("v1/commands") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 20)
            let command = try JSONDecoder().decode(
                AgentCommand.self, from: Data(body.readableBytesView))
            while self.state.withLock({ $0.delayed.contains(command.name) }) {
                try await Task.sleep(for: .milliseconds(10))
            }
            let bytes = try CanonicalJSON.bytes(encoding: self.carryOut(command))
            if let status = self.nextStatus(command.name) {
                return Response(status: .init(code: status))
            }
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        try await Application(
            router: router, configuration: .init(address: .hostname("0.0.0.0", port: port)),
            logger: Logger(label: "agents") { _ in SwiftLogNoOpLogHandler() }
        ).serveUntilCancelled()
    }

    private func nextStatus(_ command: AgentCommand.Name) -> Int? {
        state.withLock { state in
            guard state.statuses[command]?.isEmpty == false else { return nil }
            return state.statuses[command]?.removeFirst()
        }
    }

    private func carryOut(_ command: AgentCommand) -> CommandResult {
        state.withLock { state in
            state.orders.append(command)
            let node = command.nodeID
            guard !state.refused.contains(command.name), let service = state.services[node] else {
                return CommandResult(key: command.key, outcome: .refused, detail: "who?")
            }
            let after = Self.effect(of: command.name, on: service)
            state.services[node] = after
            let isFence = command.name == .fence || command.name == .demote
            return CommandResult(
                key: command.key, outcome: .succeeded, service: after,
                receipt: isFence
                    ? FenceReceipt(
                        nodeID: node, bootID: "played", epoch: command.epoch, method: "command",
                        processesKilled: 0) : nil, deniedPromisesTo: command.deniesPromisesTo)
        }
    }

    private static func effect(
        of command: AgentCommand.Name, on service: ServiceReport
    ) -> ServiceReport {
        var after = service
        switch command {
        case .status, .prepare, .own: break
        case .fence, .demote:
            after.state = .stopped
            after.streaming = false
        case .promote:
            after.role = .primary
            after.streaming = false
        case .follow, .rejoin:
            after.state = .running
            after.role = .secondary
            after.streaming = true
        case .restart: after.state = .running
        }
        return after
    }
}
