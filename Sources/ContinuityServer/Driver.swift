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

    let inbox = Inbox()
    private let head = HeadSignal()
    private let journal: any Journal
    private let instanceID: String
    private let executor: any EffectPort
    private let witnesses = WitnessWatch()
    private let restored: JournalRestored?
    private let makeSigner: @Sendable (OrchestratorState) -> CheckpointSigner?
    /// Where the loop runs: its steps block until their entries are durable.
    private let thread = ThreadExecutor(name: Driver.threadName)
    static let threadName = "orchestrator"
    /// Why nothing is decided or done: the journal cannot be written.
    private let suspended = Mutex<String?>(nil)
    private let logger: Logger
    private let ready = Mutex(false)
    private let fine = Mutex(false)
    /// By digest, as the journal has them.
    private let tokensByDigest: Mutex<[String: AccessToken]>
    /// A second on average between two entries of refused logins, of one and of all.
    private let loginEntries = Mutex(RateLimiter(perSecond: 1))
    /// When a credential's use was journaled last, in UTC milliseconds.
    private let credentialUses = Mutex<[String: Int64]>([:])
    private static let credentialUseMs: Int64 = 86_400_000
    private static let credentialUsesMax = 10_000
    /// Set before the service runs.
    let reloader = Mutex<PackReloader?>(nil)
    /// The state at the start; the running one belongs to `run` alone.
    private let initial: Orchestrator

    init(
        orchestrator: Orchestrator, journal: any Journal, instanceID: String,
        executor: any EffectPort, restored: JournalRestored?, logger: Logger,
        signer: @escaping @Sendable (OrchestratorState) -> CheckpointSigner?
    ) {
        initial = orchestrator
        self.journal = journal
        self.instanceID = instanceID
        self.executor = executor
        makeSigner = signer
        self.restored = restored
        self.logger = logger
        tokensByDigest = Mutex(Self.byDigest(orchestrator.state.tokens))
        // Before anybody can ask: who asks first must not hear that there is no such cluster.
        inbox.submit(leadership(orchestrator))
    }

    // MARK: The loop

    /// While the journal cannot be written nothing is decided and nothing done: what was decided
    /// unrecorded is forgotten, and reads go on. It tries again by itself.
    ///
    /// - Throws: when the journal cannot even be read.
    func run() async throws {
        defer { ready.withLock { $0 = false } }
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup { group in
                group.addTask { await self.tick() }
                group.addTask(executorPreference: self.thread) { try await self.drive() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// What begins to lead, at the start and once the journal can be written again: with the
    /// configuration of now, which may be another than at the start.
    private func leadership(_ orchestrator: borrowing Orchestrator) -> Input {
        let configuration = orchestrator.configuration
        return .leadershipGained(
            instanceID: instanceID, clusters: configuration.clusters, brake: configuration.brake)
    }

    private func tick() async {
        while !Task.isCancelled {
            let ms = fine.withLock(\.self) ? Self.fineTickMs : Self.tickMs
            try? await Task.sleep(for: .milliseconds(ms))
            inbox.tick()
        }
    }

    private func drive() async throws {
        var lead = Lead(orchestrator: initial, signer: makeSigner(initial.state))
        var retry = RetryAfterFailure()
        /// What was restored at the start, until an entry says so.
        var unsaid = restored
        try await withThrowingDiscardingTaskGroup { effects in
            defer { inbox.close() }
            while let item = await inbox.next() {
                guard case .input(var input, var reply) = item else {
                    if case .query(let body, _) = item { body(lead.orchestrator) }
                    continue
                }
                if let reason = suspended.withLock(\.self) {
                    guard case .tick = input, retry.isDue(SystemClock.now()) else {
                        item.refuse(.journalUnavailable(reason: reason))
                        continue
                    }
                    // As after a start: what was under way is taken up from the journal.
                    input = leadership(lead.orchestrator)
                }
                let configuration = lead.orchestrator.configuration
                do throws(StoreError) {
                    let result = try lead.step(input, append)
                    resumed()
                    carryOut(result, lead, &effects)
                    reply.take()?.resume(returning: .success(result.reply))
                    if case .leadershipGained = input, let restored = unsaid {
                        carryOut(try lead.step(.journalRestored(restored), append), lead, &effects)
                        unsaid = nil
                    }
                } catch {
                    retry.failed(SystemClock.now())
                    suspend(error, configuration)
                    try startAnew(&lead, after: error, configuration, reply)
                }
                fine.withLock { $0 = lead.orchestrator.needsFineTicks }
            }
            effects.cancelAll()
            guard suspended.withLock({ $0 == nil }) else { return }
            do {
                try lead.signEnd(append)
            } catch {
                logger.error(
                    "the journal's end could not be signed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func carryOut(
        _ result: StepResult, _ lead: Lead, _ effects: inout ThrowingDiscardingTaskGroup<any Error>
    ) {
        if result.changesTokens { refreshTokens(lead) }
        for effect in result.effects {
            // Not on the loop's own thread.
            effects.addTask(executorPreference: globalConcurrentExecutor) {
                await self.executor.carryOut(effect, self.inbox)
            }
        }
    }

    /// What was decided is not recorded, so it was never decided: the state is what the journal
    /// says. An append that failed may still have become durable.
    ///
    /// - Throws: when the journal cannot be read.
    private func startAnew(
        _ lead: inout Lead, after error: StoreError, _ configuration: ServedConfiguration,
        _ reply: Inbox.Answer<Reply?>?
    ) throws {
        let attempted = lead.orchestrator
        var isDurable: Bool?
        defer {
            reply?.resume(
                returning: .failure(
                    .journalUnavailable(reason: "\(error)", isDurable: isDurable)))
        }
        let state = try journal.fold()
        isDurable = state.head == attempted.state.head
        lead = Lead(
            orchestrator: Orchestrator(
                state: state,
                configuration: isDurable == true ? attempted.configuration : configuration,
                digest: .openSSL, saltKey: Self.saltKey(), version: BuildVersion.text),
            signer: makeSigner(state))
        // What became durable before the failure counts, tokens among it.
        refreshTokens(lead)
        head.advance(to: state.head.seq)
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

    private func suspend(_ error: any Error, _ configuration: ServedConfiguration) {
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
        for cluster in configuration.clusters.map(\.cluster.clusterID) {
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

    private func append(_ entries: [JournalEntry]) throws(StoreError) {
        guard let last = entries.last else { return }
        try journal.append(entries)
        for entry in entries { log(entry) }
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

    /// Every input that comes this way is answered by the core.
    private struct Unanswered: Error {
        let input: Input
    }

    func ask(_ input: Input) async throws -> Reply {
        guard let reply = try await inbox.ask(input) else { throw Unanswered(input: input) }
        return reply
    }

    func report(_ report: NodeReport) async throws -> Reply {
        let reply = try await ask(.report(report))
        // Who is no node of ours is no witness either.
        guard case .report = reply else { return reply }
        do {
            // Another's journal is no reason to refuse a lease; it is one to wake somebody.
            if let alarm = try await witnesses.finding(in: report, journal) {
                logger.critical(
                    "a witness contradicts the journal",
                    metadata: ["node_id": "\(alarm.nodeID)", "finding": "\(alarm.finding)"])
                inbox.submit(.witnessAlarmed(alarm, report.clusterID))
            }
        } catch {
            // Nor is one that cannot be read just now: the next report is looked at again.
            logger.error(
                "what an agent witnessed could not be held against the journal",
                metadata: ["node_id": "\(report.nodeID)", "error": "\(error)"])
        }
        return reply
    }

    func request(_ request: OperatorRequest) async throws -> Reply {
        try await ask(.request(request))
    }

    func order(_ order: OperatorOrder, by actor: String) async throws -> Reply {
        try await ask(.order(order, by: actor))
    }

    func approval(_ act: ApprovalAct, by principal: Principal) async throws -> Reply {
        try await ask(.approval(act, by: principal))
    }

    func drill(_ request: DrillRequest) async throws -> Reply { try await ask(.drill(request)) }

    func tokens() async throws -> [AccessToken] {
        try await inbox.query { $0.state.tokens.values.sorted { $0.createdAtMs < $1.createdAtMs } }
    }

    func token(sha256: String) -> AccessToken? { tokensByDigest.withLock { $0[sha256] } }

    func createToken(_ token: AccessToken) async throws -> Reply {
        try await ask(.tokenCreated(token))
    }

    func revokeToken(_ id: TokenID, reason: String, by person: String) async throws -> Reply {
        try await ask(.tokenRevoked(id, reason: reason, by: person))
    }

    func claimToken(_ claim: TokenClaim) async throws -> Reply {
        try await ask(.tokenClaimed(claim))
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
            if uses.count >= Self.credentialUsesMax {
                uses = uses.filter { nowMs - $0.value < Self.credentialUseMs }
            }
            uses[key] = nowMs
            return true
        }
        guard isNews else { return }
        do {
            guard isReady else { throw OrchestratorUnavailable.stopping }
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

    func reloadHooks(requestedBy: String) async throws -> Reply {
        guard let reloader = reloader.withLock(\.self) else {
            throw OrchestratorUnavailable.stopping
        }
        return try await reloader.reload(requestedBy: requestedBy)
    }

    func configuration() async throws -> ServedConfiguration {
        try await inbox.query { $0.configuration }
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

    // MARK: The journal's readers

    func entries(
        after seq: Int64, limit: Int, waitMs: Int64
    ) async throws -> [JournalEntry] {
        let entries = try await read { try await $0.read(after: seq, limit: limit) }
        guard entries.isEmpty, waitMs > 0 else { return entries }
        await head.wait(after: seq, waitMs: waitMs)
        return try await read { try await $0.read(after: seq, limit: limit) }
    }

    func entries(_ query: JournalQuery, waitMs: Int64) async throws -> [JournalEntry] {
        let seen = head.seq
        let entries = try await read { try await $0.read(query) }
        guard entries.isEmpty, waitMs > 0 else { return entries }
        // What comes next may be of another kind: then the caller asks again.
        await head.wait(after: max(query.after, seen), waitMs: waitMs)
        return try await read { try await $0.read(query) }
    }

    var firstSeq: Int64 { initial.state.head.seq }

    func entry(_ seq: Int64) async throws -> JournalEntry? {
        try await read { try await $0.read(after: seq - 1, limit: 1) }.first { $0.seq == seq }
    }

    func beginning(of run: RunID) async throws -> JournalEntry? {
        try await read {
            try await $0.readLast(kind: "run_requested", containing: "\"\(run)\"")
        }
    }

    private func read<Value>(_ body: (any Journal) async throws -> Value) async throws -> Value {
        do {
            return try await body(journal)
        } catch let error as StoreError {
            throw OrchestratorUnavailable.journalUnavailable(reason: "\(error)")
        }
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
