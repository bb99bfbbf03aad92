import ContinuityAPI
import ContinuityCore
import ContinuityStore
import Logging
import ServiceLifecycle
import Synchronization

/// Feeds the orchestrator one input at a time, makes its entries durable, and only then lets its
/// effects go.
final class Driver: Service, OrchestratorPort {
    /// The orchestrator distrusts itself after a gap of `Orchestrator.stallMs`: ticks come several
    /// times within it.
    private static let tickMs = 150
    private static let fineTickMs = 15

    private let inbox = Inbox()
    private let head = HeadSignal()
    private let store: JournalStore
    private let instanceID: String
    private let clusters: [ClusterConfigured]
    private let brake: BrakeSettings
    private let executor: EffectExecutor
    private let logger: Logger
    private let ready = Mutex(false)
    private let fine = Mutex(false)
    /// Set before the service runs.
    let reloader = Mutex<PackReloader?>(nil)
    /// The state at the start; the running one belongs to `run` alone.
    private let initial: Orchestrator

    init(
        orchestrator: Orchestrator, store: JournalStore, instanceID: String,
        clusters: [ClusterConfigured], brake: BrakeSettings, executor: EffectExecutor,
        logger: Logger
    ) {
        initial = orchestrator
        self.store = store
        self.instanceID = instanceID
        self.clusters = clusters
        self.brake = brake
        self.executor = executor
        self.logger = logger
    }

    // MARK: The loop

    /// - Throws: when the journal cannot be written: what was decided must not be done then, and
    ///   the process ends rather than act on a state that is not recorded.
    func run() async throws {
        defer { ready.withLock { $0 = false } }
        inbox.submit(
            .leadershipGained(instanceID: instanceID, clusters: clusters, brake: brake))
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup { group in
                group.addTask { await self.tick() }
                group.addTask { try await self.drive() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func tick() async {
        while !Task.isCancelled {
            let ms = fine.withLock(\.self) ? Self.fineTickMs : Self.tickMs
            try? await Task.sleep(for: .milliseconds(ms))
            inbox.tick()
        }
    }

    private func drive() async throws {
        var orchestrator = initial
        try await withThrowingDiscardingTaskGroup { effects in
            defer { inbox.close() }
            for await item in inbox.items {
                inbox.took(item)
                switch item {
                case .query(let body): body(orchestrator)
                case .input(let input, let reply):
                    let result = orchestrator.step(input, at: SystemClock.now())
                    do {
                        try commit(result)
                    } catch {
                        reply?.resume(throwing: error)
                        throw error
                    }
                    reply?.resume(returning: result.reply)
                    for effect in result.effects {
                        effects.addTask { await self.executor.carryOut(effect, self.inbox) }
                    }
                    fine.withLock { $0 = orchestrator.needsFineTicks }
                }
            }
            effects.cancelAll()
        }
    }

    private func commit(_ result: StepResult) throws {
        guard let last = result.entries.last else { return }
        try store.append(result.entries)
        for entry in result.entries { log(entry) }
        head.advance(to: last.seq)
        ready.withLock { $0 = true }
    }

    private func log(_ entry: JournalEntry) {
        logger.info(
            "journal: \(entry.kind)",
            metadata: [
                "seq": "\(entry.seq)", "cluster_id": "\(entry.clusterID?.rawValue ?? "-")",
                "body": "\(String(decoding: entry.body.prefix(600), as: UTF8.self))",
            ])
    }

    // MARK: The API's view

    var isReady: Bool { ready.withLock(\.self) }

    func report(_ report: NodeReport) async throws -> Reply {
        try await inbox.ask(.report(report)) ?? .unknownNode(report.nodeID)
    }

    func request(_ request: OperatorRequest) async throws -> Reply {
        try await inbox.ask(.request(request)) ?? .unknownCluster(request.clusterID)
    }

    func order(_ order: OperatorOrder, by actor: String) async throws -> Reply? {
        try await inbox.ask(.order(order, by: actor))
    }

    func ask(_ input: Input) async throws -> Reply? { try await inbox.ask(input) }

    func drill(_ request: DrillRequest) async throws -> Reply {
        try await inbox.ask(.drill(request)) ?? .unknownCluster(request.clusterID)
    }

    func drillProgress(_ id: RunID) async throws -> DrillProgress? {
        try await inbox.query { $0.drillProgress(id) }
    }

    func reloadHooks(requestedBy: String) async throws -> Reply? {
        try await reloader.withLock(\.self)?.reload(requestedBy: requestedBy)
    }

    func status() async throws -> StatusReport {
        try await inbox.query { $0.statusReport(at: SystemClock.now()) }
    }

    func entries(
        after seq: Int64, limit: Int, waitMs: Int64
    ) async throws -> [JournalEntry] {
        let entries = try store.entries(after: seq, limit: limit)
        guard entries.isEmpty, waitMs > 0 else { return entries }
        await head.wait(after: seq, waitMs: waitMs)
        return try store.entries(after: seq, limit: limit)
    }

    func entry(_ seq: Int64) async throws -> JournalEntry? {
        try store.entries(after: seq - 1, limit: 1).first { $0.seq == seq }
    }

    /// The result of an alert's delivery, to be journaled.
    func submit(_ input: Input) { inbox.submit(input) }
}
