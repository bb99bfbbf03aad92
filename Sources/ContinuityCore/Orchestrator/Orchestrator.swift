/// The decision logic of continuity: one input in, journal entries and effects out.
///
/// Pure: it has no clock, no randomness and no I/O; `now` comes with each input. Its durable state
/// is the fold of the journal (``OrchestratorState``). What it has only heard (reports, leases it
/// granted) is kept beside it and is gathered anew after a restart.
package struct Orchestrator: Sendable {
    package private(set) var state: OrchestratorState
    package internal(set) var configuration: ServedConfiguration
    var observations: [ClusterID: ClusterObservation] = [:]
    let digest: ContentDigest
    /// What the salts of withholdable values are derived from; empty: bodies have no salts.
    private let saltKey: [UInt8]
    /// What the journal's first entry of this leadership says of the program.
    private let version: String
    /// More steps than a run has in one go. Reaching it is a mistake of this program.
    let runStepsMax: Int
    /// What such a mistake does: in simulation it ends the process, so that it is found; in service
    /// it takes the one cluster out, and the others go on.
    let trapsOnInternalFault: Bool
    private var result = StepResult()
    private var lastStepMs: Int64?

    /// A gap between two inputs that is longer than this means that this process, not the nodes,
    /// was away: windows start anew. The shell ticks several times within it.
    package static let stallMs: Int64 = 600

    package static let runStepsMaxDefault = 1000

    package init(
        state: OrchestratorState, configuration: ServedConfiguration = ServedConfiguration(),
        digest: ContentDigest, saltKey: [UInt8] = [],
        version: String = ProductVersion.number,
        runStepsMax: Int = Orchestrator.runStepsMaxDefault, trapsOnInternalFault: Bool = false
    ) {
        self.state = state
        self.configuration = configuration
        self.digest = digest
        self.saltKey = saltKey
        self.version = version
        self.runStepsMax = runStepsMax
        self.trapsOnInternalFault = trapsOnInternalFault
    }

    package mutating func step(_ input: Input, at now: Moment) -> StepResult {
        result = StepResult()
        distrustAfterStall(now)
        switch input {
        case .leadershipGained(let instanceID, let clusters, let brake):
            lead(instanceID: instanceID, clusters: clusters, brake, now)
        case .report(let report): hear(report.bounded, now)
        case .tick: evaluateAll(now)
        case .operationFinished(let key, let cluster, let result):
            finish(key, in: cluster, result, now)
        case .request(let request): handle(request, now)
        case .drill(let request): handle(request, now)
        case .approval(let act, let principal): handle(act, by: principal, now)
        case .order(let order, let actor): handle(order, by: actor, now)
        case .hookPacksChanged(let body, let clusters, let actor):
            change(body, clusters: clusters, by: actor, now)
        case .hookNotified(let notification): queue(notification, now)
        case .hookEffect(let effect, let cluster): intend(effect, in: cluster, now)
        case .alertDelivered(let body): settle(body, now)
        case .alertDead(let body): settle(body, now)
        case .checkpointed(let checkpoint): keep(checkpoint, now)
        case .witnessAlarmed(let alarm, let cluster): take(alarm, in: cluster, now)
        case .journalRestored(let restored): keep(restored, now)
        case .tokenCreated(let token): create(token, now)
        case .tokenRevoked(let id, let reason, let person):
            revoke(id, reason: reason, by: person, now)
        case .tokenClaimed(let wish): claim(wish, now)
        case .loginRefused(let refusal): note(refusal, now)
        case .credentialUsed(let use, let person): note(use, by: person, now)
        }
        return result
    }

    /// Whether something is under way that needs ticks within tens of milliseconds.
    package var needsFineTicks: Bool {
        for (id, cluster) in state.clusters {
            if cluster.run != nil || cluster.drill != nil { return true }
            guard cluster.status(of: cluster.primary) != .healthy else { continue }
            if observations[id] != nil { return true }
        }
        return false
    }

    private mutating func distrustAfterStall(_ now: Moment) {
        defer { lastStepMs = now.monotonicMs }
        guard let last = lastStepMs, now.monotonicMs - last > Self.stallMs else { return }
        for id in observations.keys {
            observations[id]?.observingSinceMs = now.monotonicMs
            for node in observations[id]?.nodes.keys ?? [:].keys {
                guard observations[id]?.nodes[node]?.heardAtMs != nil else { continue }
                observations[id]?.nodes[node]?.heardAtMs = now.monotonicMs
                observations[id]?.nodes[node]?.distrust(atMs: now.monotonicMs)
            }
        }
    }

    // MARK: Output of a step

    mutating func emit(
        _ body: JournalBody, cluster: ClusterID?, actor: String = "continuity", _ now: Moment
    ) {
        let entry = JournalEntry(
            after: state.head, epoch: state.epoch, atMs: now.utcMs, actor: actor,
            clusterID: cluster, kind: body.kind, body: body.bytes(), salt: nextSalt, digest: digest)
        state.evolve(entry, body)
        result.entries.append(entry)
        if body.changesTokens { result.changesTokens = true }
    }

    private var nextSalt: String? {
        guard !saltKey.isEmpty else { return nil }
        let place = "/\(state.head.seq)/\(state.head.hash)"
        return String(digest.hex(saltKey + Array(place.utf8)).prefix(BodyCommitment.saltDigits))
    }

    mutating func release(_ effect: Effect) { result.effects.append(effect) }
    mutating func reply(_ reply: Reply) { result.reply = reply }

    // MARK: Leadership

    private mutating func lead(
        instanceID: String, clusters: [ClusterConfigured], _ brake: BrakeSettings, _ now: Moment
    ) {
        configuration = ServedConfiguration(clusters: clusters, brake: brake)
        state.epoch += 1
        let format = saltKey.isEmpty ? nil : LeadershipStarted.committedFormat
        emit(
            .leadershipStarted(
                LeadershipStarted(instanceID: instanceID, bodyFormat: format, version: version)),
            cluster: nil, now)
        configure(brake, now)
        for configuration in clusters {
            // Before the configuration is taken: what was granted was granted under the old one.
            let id = configuration.cluster.clusterID
            let formerMs = state.clusters[id]?.longestLeaseMs ?? 0
            configure(configuration, now)
            observe(id, formerLeaseMs: formerMs, now)
        }
        release(allBut: clusters.map(\.cluster.clusterID), now)
        for id in clusters.map(\.cluster.clusterID) {
            // What its hooks were told is not true any more, and nothing hangs on it.
            cancelDrill(id, because: "continuity was restarted while it ran", now)
            resume(id, now)
        }
        for pending in state.pendingAlerts.values.sorted(by: { $0.alert.atMs < $1.alert.atMs }) {
            for channel in pending.channels.sorted() {
                release(.deliver(pending.alert, channel: channel))
            }
        }
    }

    /// Begins to listen. An earlier leader may have granted a lease until just now, to any node, as
    /// long as its policy said.
    private mutating func observe(_ id: ClusterID, formerLeaseMs: Int64, _ now: Moment) {
        guard let cluster = state.clusters[id] else { return }
        var observation = ClusterObservation(observingSinceMs: now.monotonicMs)
        observation.deferredConfiguration = observations[id]?.deferredConfiguration
        let longest = now.monotonicMs +| max(cluster.longestLeaseMs, formerLeaseMs)
        for node in cluster.cluster.nodes {
            observation.nodes[node.nodeID] = Observation(leaseUntilMs: longest)
        }
        // An order to become primary may still be on its way, with a lease from its arrival.
        if let node = cluster.inDoubt {
            observation.nodes[node]?.noteInheritedStart(
                untilMs: longest +| RunScript.promoteTimeoutMs)
        }
        for operation in (cluster.run?.pendingOperations ?? []) + Array(cluster.upkeep.values)
        where operation.makesPrimary {
            guard let node = operation.nodeID else { continue }
            observation.nodes[node]?.noteInheritedStart(untilMs: longest +| operation.timeoutMs)
        }
        if let run = cluster.run {
            let remaining = max(0, min(run.deadlineAtMs -| now.utcMs, run.plan.maxFailoverTimeMs))
            observation.runDeadlineMs = now.monotonicMs +| remaining
        }
        observations[id] = observation
    }

    // MARK: Evaluation

    mutating func evaluateAll(_ now: Moment) {
        for id in observations.keys.sorted() { evaluate(id, now) }
    }

    /// Looks at one cluster and does what follows from what is known now.
    mutating func evaluate(_ id: ClusterID, _ now: Moment) {
        guard state.clusters[id] != nil, observations[id] != nil else { return }
        expireSuspensions(id, now)
        checkApproval(id, now)
        detect(id, now)
        tellRemarks(id, now)
        endFormerLeases(id, now)
        takeDeferredConfiguration(id, now)
        dispatchDeferred(id, now)
        askAgain(id, now)
        considerScheduled(id, now)
        if state.clusters[id]?.run == nil { considerFailover(id, now) }
        advance(id, now)
        advanceDrill(id, now)
        if state.clusters[id]?.run == nil { upkeep(id, now) }
        reconcileHooks(id, now)
        tellNoPrimary(id, now)
    }
}
