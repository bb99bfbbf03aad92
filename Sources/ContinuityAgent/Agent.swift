import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import ContinuityTransport
import Hummingbird
package import Logging
import ServiceLifecycle
import Synchronization

/// The agent of one node: reports, watches, holds the lease and carries out orders.
///
/// Runs in a `ServiceGroup` until a graceful shutdown, which closes its endpoints and, unless
/// configured otherwise, stops a service that is primary: with the agent gone nothing else would
/// end it when its lease runs out.
package final class Agent: Service {
    /// Stopping a primary at shutdown, in milliseconds; then it is fenced, within as much again.
    private static let shutdownLimitMs: Int64 = 10_000
    /// What open connections get to end by themselves at shutdown, in milliseconds.
    private static let serverLimitMs: Int64 = 2000

    private let configuration: AgentConfiguration
    private let logger: Logger
    let state: NodeState
    private let http: HTTPClient
    private let monitor: ServiceMonitor
    private let desk: CommandDesk
    private let witness: WitnessKeeper
    private let boundPort = Mutex<Int?>(nil)

    /// - Throws: `StateFileError` when the state file cannot be read, written or locked.
    package init(configuration: AgentConfiguration, logger: Logger) throws {
        var logger = logger
        logger[metadataKey: "node_id"] = "\(configuration.nodeID)"
        logger[metadataKey: "cluster_id"] = "\(configuration.clusterID)"
        self.configuration = configuration
        self.logger = logger
        state = try NodeState(configuration: configuration, logger: logger)
        http = HTTPClient(maxConcurrent: 16, maxWaiting: 64)
        witness = try WitnessKeeper(configuration: configuration, http: http, logger: logger)
        let environment = [OrphanReaper.tagVariable: state.bootID]
        let status = StatusReader(
            template: configuration.commands[.status] ?? CommandTemplate(argv: [], timeoutMs: 1),
            environment: environment, values: ["node_id": configuration.nodeID.rawValue])
        monitor = ServiceMonitor(state: state, status: status, http: http, logger: logger)
        let fencing = Fencing(processes: monitor.processes, tag: state.bootID)
        let execution = CommandExecution(
            state: state, monitor: monitor, fencing: fencing, environment: environment)
        desk = CommandDesk(state: state, execution: execution, logger: logger)
    }

    /// Where the endpoints answer, once they do: `listen` may name port 0.
    package var port: Int? { boundPort.withLock(\.self) }

    /// - Throws: when `listen` cannot be bound.
    package func run() async throws {
        if !OrphanReaper.shared.adoptOrphans() {
            logger.warning("the kernel does not let the agent adopt orphaned processes")
        }
        logger.info("the agent starts", metadata: ["boot_id": "\(state.bootID)"])
        for doubt in configuration.doubts {
            logger.warning("the configuration may not be meant", metadata: ["doubt": "\(doubt)"])
        }
        defer {
            http.shutdown()
            state.release()
            logger.info("the agent ends")
        }
        await startGuard()
        // Until it ends in order the guard stays and fences at the lease's end.
        var endsInOrder = false
        defer { if endsInOrder { state.guardLink?.release() } else { state.guardLink?.abandon() } }
        try await withThrowingTaskGroup(of: Part.self) { group in
            // The server is not cancelled but shut down in order: cancelled at the wrong moment,
            // NIO ends the process, and with it the stopping of the primary.
            group.addTask {
                try await self.serve()
                return .server
            }
            group.addTask {
                await cancelWhenGracefulShutdown { await self.work() }
                return .work
            }
            defer { group.cancelAll() }
            // It fails here when the port is taken. Then no agent ever began its work, and
            // a primary is left as it was.
            let first = try await group.next()
            // Asked before its orders are stopped: one that was to promote may yet do so.
            let mayPromote = state.mayYetPromote
            await desk.close()
            // Not in this task: if it was cancelled, it could wait for nothing any more.
            let isSafe = await Task { await self.leaveService(mayPromote: mayPromote) }.value
            guard first == .work else { return }
            endsInOrder = isSafe
            group.addTask {
                try? await Task.sleep(for: .milliseconds(Self.serverLimitMs))
                return .timer
            }
            _ = try await group.next()
        }
    }

    private enum Part { case server, work, timer }

    /// Everything but the endpoints. Runs until the task is cancelled.
    private func work() async {
        let reporter = Reporter(
            state: state, witness: witness, http: http, logger: logger)
        let prober = PeerProber(state: state, witness: witness, http: http)
        let guardian = leaseGuard()
        let patrol = Patrol(state: state, monitor: monitor, logger: logger) { [guardian] reason in
            await guardian.fenceNow(reason)
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await reporter.run() }
            group.addTask { await prober.run() }
            // A witness has nothing to look at, and nothing to stop.
            if !self.configuration.isWitness {
                group.addTask { await self.monitor.run() }
                group.addTask { await guardian.run() }
                group.addTask { await patrol.run() }
            }
            group.addTask { await self.witness.run() }
        }
    }

    private func serve() async throws {
        let peers = PeerRegistry()
        let endpoints = Endpoints(
            state: state, desk: desk, witness: witness, peers: peers, logger: logger)
        let keeper = try configuration.tls.map {
            try TLSKeeper(files: $0.files, clientCertificates: .required, logger: logger)
        }
        guard let health = configuration.healthListen else {
            return try await serve(endpoints.router(), at: configuration.listen, keeper, peers) {
                port in self.boundPort.withLock { $0 = port }
            }
        }
        let healthKeeper =
            configuration.healthIsPlain
            ? nil
            : try configuration.tls.map {
                try TLSKeeper(files: $0.files, clientCertificates: .none, logger: logger)
            }
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await self.serve(
                    endpoints.router(), at: self.configuration.listen, keeper, peers
                ) { port in self.boundPort.withLock { $0 = port } }
            }
            group.addTask {
                try await self.serve(
                    endpoints.healthRouter(), at: health, healthKeeper, PeerRegistry()
                ) { _ in }
            }
            try await group.waitForAll()
        }
    }

    private func serve(
        _ router: Router<TransportContext>, at listen: Endpoint, _ keeper: TLSKeeper?,
        _ peers: PeerRegistry, onListening: @escaping @Sendable (Int?) -> Void
    ) async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let bounds = TransportBounds()
        let application = Application(
            router: router,
            server: .transport(keeper: keeper, peers: peers, bounds: bounds),
            configuration: ApplicationConfiguration(
                address: .hostname(listen.host, port: listen.port), serverName: nil,
                availableConnectionsDelegate: .maximum(bounds.connectionsMax, logger: quiet)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port
                onListening(port)
                self.logger.info("the endpoints answer", metadata: ["port": "\(port ?? 0)"])
            },
            logger: quiet)
        try await application.run()
    }

    private func leaseGuard() -> LeaseGuard {
        let limitMs = (configuration.commands[.fence]?.timeoutMs ?? 0) + 2000
        return LeaseGuard(
            state: state, http: http,
            fence: { [desk] _ in await desk.runLocally(.fence, timeoutMs: limitMs) },
            logger: logger)
    }

    private func startGuard() async {
        guard let link = state.guardLink else { return }
        // An agent that only observes has nothing fenced, not even by its guard.
        guard configuration.mode == .act else { return }
        link.start { [state] in state.guardDeadline(now: .now) }
        if await !link.waitUntilGuarding(atMost: 1000) {
            logger.critical("the guard does not answer; the agent goes on without it")
        }
        state.takeOverLease()
    }

    /// - Parameter mayPromote: an order was under way, or in doubt, that makes it a primary.
    /// - Returns: whether no primary is left behind that somebody would have to fence.
    private func leaveService(mayPromote: Bool) async -> Bool {
        guard state.isPrimary || mayPromote || state.mayYetPromote else { return true }
        guard configuration.mode == .act, !state.standing().isUnleased else { return true }
        switch configuration.onShutdown {
        case .leave: return true
        case .stopPrimary: break
        case .handOver:
            if state.guardLink?.status.state == .guarding {
                logger.notice(
                    "the service is left to the guard and to the next agent, until its lease ends")
                return false
            }
            logger.warning("no guard answers that the primary could be left to")
        }
        return await stopPrimary(mayPromote: mayPromote)
    }

    private func stopPrimary(mayPromote: Bool) async -> Bool {
        logger.notice("stopping the primary, for nothing would end it without the agent")
        // A demotion stops what is primary; what may become one at any moment is killed.
        if configuration.commands[.demote] != nil, !mayPromote {
            let result = await desk.runLocally(.demote, timeoutMs: Self.shutdownLimitMs)
            if result.outcome == .succeeded { return true }
            logger.warning("demote failed", metadata: ["detail": "\(result.detail)"])
        }
        let result = await desk.runLocally(.fence, timeoutMs: Self.shutdownLimitMs)
        if result.outcome != .succeeded {
            logger.critical(
                "the primary could not be stopped", metadata: ["detail": "\(result.detail)"])
        }
        return result.outcome == .succeeded
    }
}
