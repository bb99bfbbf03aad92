import ContinuityAPI
import ContinuityCore
import ContinuityStore
import ContinuityTransport
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
    private let witnesses = WitnessWatch()
    private let restored: JournalRestored?
    private let initialSigner: CheckpointSigner?
    /// Why nothing is decided or done: the journal cannot be written.
    private let suspended = Mutex<String?>(nil)
    private let logger: Logger
    private let ready = Mutex(false)
    private let fine = Mutex(false)
    /// By digest, as the journal has them.
    private let tokensByDigest: Mutex<[String: AccessToken]>
    /// A second on average between two entries of refused logins, of one and of all.
    private let loginEntries = Mutex(RateLimiter(perSecond: 1))
    /// When a credential's use was journaled last, in UTC milliseconds. As many as there are
    /// people and tokens.
    private let credentialUses = Mutex<[String: Int64]>([:])
    private static let credentialUseMs: Int64 = 86_400_000
    /// Set before the service runs.
    let reloader = Mutex<PackReloader?>(nil)
    /// The state at the start; the running one belongs to `run` alone.
    private let initial: Orchestrator

    init(
        orchestrator: Orchestrator, store: JournalStore, instanceID: String,
        clusters: [ClusterConfigured], brake: BrakeSettings, executor: EffectExecutor,
        signer: CheckpointSigner?, restored: JournalRestored?, logger: Logger
    ) {
        initial = orchestrator
        self.store = store
        self.instanceID = instanceID
        self.clusters = clusters
        self.brake = brake
        self.executor = executor
        initialSigner = signer
        self.restored = restored
        self.logger = logger
        tokensByDigest = Mutex(Self.byDigest(orchestrator.state.tokens))
    }

    // MARK: The loop

    /// While the journal cannot be written nothing is decided and nothing done: what was decided
    /// unrecorded is forgotten, and reads go on. It tries again by itself.
    ///
    /// - Throws: when the journal cannot even be read.
    func run() async throws {
        defer { ready.withLock { $0 = false } }
        inbox.submit(
            .leadershipGained(instanceID: instanceID, clusters: clusters, brake: brake))
        if let restored { inbox.submit(.journalRestored(restored)) }
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
        var lead = Lead(orchestrator: initial, signer: initialSigner)
        var retry = RetryAfterFailure()
        try await withThrowingDiscardingTaskGroup { effects in
            defer { inbox.close() }
            for await item in inbox.items {
                inbox.took(item)
                guard case .input(var input, let reply) = item else {
                    if case .query(let body) = item { body(lead.orchestrator) }
                    continue
                }
                if let reason = suspended.withLock(\.self) {
                    guard case .tick = input, retry.isDue(SystemClock.now()) else {
                        reply?.resume(throwing: Suspended(reason: reason))
                        continue
                    }
                    // As after a start: what was under way is taken up from the journal.
                    input = .leadershipGained(
                        instanceID: instanceID, clusters: clusters, brake: brake)
                }
                do {
                    let result = try lead.step(input, commit)
                    resumed()
                    if result.entries.contains(where: { $0.kind.hasPrefix("token_") }) {
                        refreshTokens(lead)
                    }
                    reply?.resume(returning: result.reply)
                    for effect in result.effects {
                        effects.addTask { await self.executor.carryOut(effect, self.inbox) }
                    }
                } catch {
                    reply?.resume(throwing: Suspended(reason: "\(error)"))
                    suspend(error)
                    retry.failed(SystemClock.now())
                    // What was decided is not recorded, so it was never decided.
                    lead = try Lead(
                        orchestrator: Orchestrator(
                            state: JournalRecovery.fold(store), digest: .openSSL,
                            saltKey: Self.saltKey(),
                            version: BuildVersion.text),
                        signer: initialSigner)
                    // What became durable before the failure counts, tokens among it.
                    refreshTokens(lead)
                }
                fine.withLock { $0 = lead.orchestrator.needsFineTicks }
            }
            effects.cancelAll()
            guard suspended.withLock({ $0 == nil }) else { return }
            do {
                try lead.signEnd(commit)
            } catch {
                logger.error(
                    "the journal's end could not be signed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// New at each start: it is kept nowhere, since the salts stand in the bodies.
    static func saltKey() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private func refreshTokens(_ lead: Lead) {
        let tokens = Self.byDigest(lead.orchestrator.state.tokens)
        tokensByDigest.withLock { $0 = tokens }
    }

    private func suspend(_ error: any Error) {
        ready.withLock { $0 = false }
        let isNews = suspended.withLock { reason in
            defer { reason = "\(error)" }
            return reason == nil
        }
        guard isNews else { return }
        logger.critical(
            "the journal cannot be written: nothing is decided or done until it can",
            metadata: ["error": "\(error)"])
        let atMs = SystemClock.now().utcMs
        for cluster in clusters.map(\.cluster.clusterID) {
            let seed = Array("suspended/\(cluster)/\(instanceID)/\(atMs)".utf8)
            executor.tell(
                Alert(
                    alertID: AlertID("alert-" + ContentDigest.openSSL.hex(seed).prefix(16)),
                    type: "continuity.audit.suspended", severity: .critical, clusterID: cluster,
                    subject: "journal",
                    summary: "the journal cannot be written, so nothing is decided or done for "
                        + "\(cluster): \(error)",
                    atMs: atMs, data: .object([:])))
        }
    }

    private func resumed() {
        let wasSuspended = suspended.withLock { $0.take() } != nil
        if wasSuspended { logger.notice("the journal can be written again") }
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
                "seq": .stringConvertible(entry.seq),
                "cluster_id": "\(entry.clusterID?.rawValue ?? "-")",
                "body": .stringConvertible(LoggedBody(entry)),
            ])
    }

    // MARK: The API's view

    var isReady: Bool { ready.withLock(\.self) }

    func report(_ report: NodeReport) async throws -> Reply {
        let reply = try await inbox.ask(.report(report)) ?? .unknownNode(report.nodeID)
        // Who is no node of ours is no witness either.
        guard case .report = reply else { return reply }
        // Another's journal is no reason to refuse a lease; it is one to wake somebody.
        if let alarm = try witnesses.finding(in: report, store) {
            logger.critical(
                "a witness contradicts the journal",
                metadata: ["node_id": "\(alarm.nodeID)", "finding": "\(alarm.finding)"])
            inbox.submit(.witnessAlarmed(alarm, report.clusterID))
        }
        return reply
    }

    func request(_ request: OperatorRequest) async throws -> Reply {
        try await inbox.ask(.request(request)) ?? .unknownCluster(request.clusterID)
    }

    func order(_ order: OperatorOrder, by actor: String) async throws -> Reply? {
        try await inbox.ask(.order(order, by: actor))
    }

    func ask(_ input: Input) async throws -> Reply? { try await inbox.ask(input) }

    func approval(_ act: ApprovalAct, by principal: Principal) async throws -> Reply? {
        try await inbox.ask(.approval(act, by: principal))
    }

    func drill(_ request: DrillRequest) async throws -> Reply {
        try await inbox.ask(.drill(request)) ?? .unknownCluster(request.clusterID)
    }

    func tokens() async throws -> [AccessToken] {
        try await inbox.query { $0.state.tokens.values.sorted { $0.createdAtMs < $1.createdAtMs } }
    }

    func token(sha256: String) -> AccessToken? { tokensByDigest.withLock { $0[sha256] } }

    func createToken(_ token: AccessToken) async throws -> Reply {
        try await inbox.ask(.tokenCreated(token)) ?? .tokenRefused("the server is stopping")
    }

    func revokeToken(_ id: TokenID, reason: String, by person: String) async throws -> Reply {
        try await inbox.ask(.tokenRevoked(id, reason: reason, by: person))
            ?? .tokenRefused("the server is stopping")
    }

    func claimToken(_ claim: TokenClaim) async throws -> Reply {
        try await inbox.ask(.tokenClaimed(claim)) ?? .tokenRefused("the server is stopping")
    }

    func noteLoginRefused(_ refusal: LoginRefused) async {
        // By address and credential, so that one does not hide another; and a bound for all.
        let key = "\(refusal.address) \(refusal.credential ?? "")"
        let isTooMuch = loginEntries.withLock { limiter in
            limiter.take(key, at: .now) != nil || limiter.take("all", at: .now) != nil
        }
        guard isReady, !isTooMuch else { return }
        // One that is full has more to do than to keep this.
        _ = try? await inbox.ask(.loginRefused(refusal))
    }

    func noteCredentialUsed(_ use: CredentialUsed, by person: String) async {
        let key = "\(person)\n\(use.credential)"
        let nowMs = SystemClock.now().utcMs
        let isNews = credentialUses.withLock { uses in
            let last = uses[key] ?? .min
            // A clock that was set back must not silence it.
            guard last > nowMs || nowMs - Self.credentialUseMs >= last else { return false }
            uses[key] = nowMs
            return true
        }
        guard isNews else { return }
        do {
            guard isReady else { throw Suspended(reason: "not ready") }
            _ = try await inbox.ask(.credentialUsed(use, by: person))
        } catch {
            // The next request tries again.
            credentialUses.withLock { $0[key] = nil }
        }
    }

    private static func byDigest(_ tokens: [TokenID: AccessToken]) -> [String: AccessToken] {
        Dictionary(tokens.values.map { ($0.sha256, $0) }, uniquingKeysWith: { $1 })
    }

    func drillProgress(_ id: RunID) async throws -> DrillProgress? {
        try await inbox.query { $0.drillProgress(id) }
    }

    func reloadHooks(requestedBy: String) async throws -> Reply? {
        try await reloader.withLock(\.self)?.reload(requestedBy: requestedBy)
    }

    func status() async throws -> StatusReport {
        var report = try await inbox.query { orchestrator in
            var report = orchestrator.statusReport(at: SystemClock.now())
            report.audit = AuditStatus(
                signedSeq: orchestrator.state.checkpoint?.seq, witnesses: [], suspended: nil)
            return report
        }
        report.audit?.witnesses = witnesses.statuses()
        report.audit?.suspended = suspended.withLock(\.self)
        return report
    }

    func entries(
        after seq: Int64, limit: Int, waitMs: Int64
    ) async throws -> [JournalEntry] {
        let entries = try store.entries(after: seq, limit: limit)
        guard entries.isEmpty, waitMs > 0 else { return entries }
        await head.wait(after: seq, waitMs: waitMs)
        return try store.entries(after: seq, limit: limit)
    }

    func entries(_ query: JournalQuery, waitMs: Int64) async throws -> [JournalEntry] {
        let seen = head.seq
        let entries = try store.entries(query)
        guard entries.isEmpty, waitMs > 0 else { return entries }
        // What comes next may be of another kind: then the caller asks again.
        await head.wait(after: max(query.after, seen), waitMs: waitMs)
        return try store.entries(query)
    }

    var firstSeq: Int64 { initial.state.head.seq }

    func entry(_ seq: Int64) async throws -> JournalEntry? {
        try store.entries(after: seq - 1, limit: 1).first { $0.seq == seq }
    }

    func beginning(of run: RunID) async throws -> JournalEntry? {
        try store.last(kind: "run_requested", containing: "\"\(run)\"")
    }

    func servedCluster(_ id: ClusterID) async throws -> ServedCluster? {
        try await inbox.query { orchestrator in
            orchestrator.state.clusters[id].flatMap { $0.isReleased ? nil : $0 }.map {
                ServedCluster(cluster: $0.cluster, policy: $0.policy, estimates: $0.estimates)
            }
        }
    }

    /// The result of an alert's delivery, to be journaled.
    func submit(_ input: Input) { inbox.submit(input) }
}
