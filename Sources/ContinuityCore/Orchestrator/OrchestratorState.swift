/// The orchestrator's state: the fold of its journal, and nothing else.
package struct OrchestratorState: Hashable, Sendable {
    package var head: JournalHead = .empty
    /// The hash of the first entry: tells this journal from every other one.
    package var origin = ""
    package var epoch: Int64 = 0
    /// The process that has the lead in this epoch.
    package var instanceID = ""
    package var clusters: [ClusterID: ClusterState] = [:]
    package var alertChannels: [String] = []
    /// The newest that was signed; agents keep it as witnesses.
    package var checkpoint: Checkpoint?
    /// Alerts that some channel has not taken yet.
    package var pendingAlerts: [AlertID: PendingAlert] = [:]

    package var fleet = FleetState()
    package var tokens: [TokenID: AccessToken] = [:]

    package init() {}

    /// - Throws: ``JournalFault`` when the entry cannot be understood. The chain is the caller's
    ///   to check.
    package mutating func replay(_ entry: JournalEntry) throws(JournalFault) {
        evolve(entry, try JournalBody(of: entry))
    }

    package struct PendingAlert: Hashable, Sendable {
        package var alert: Alert
        package var channels: Set<String>
    }
}

extension JournalBody {
    var changesTokens: Bool {
        switch self {
        case .tokenCreated, .tokenRevoked, .tokenClaimed: true
        default: false
        }
    }
}

extension OrchestratorState {
    mutating func evolve(_ entry: JournalEntry, _ body: JournalBody) {
        if head.seq == 0 { origin = entry.hash }
        head = JournalHead(seq: entry.seq, hash: entry.hash)
        epoch = entry.epoch
        switch body {
        case .leadershipStarted(let body):
            instanceID = body.instanceID
            for id in clusters.keys { clusters[id]?.doubtPendingPointers() }
        case .hookPacksChanged, .loginRefused, .credentialUsed, .entryRedacted, .witnessAlarmed:
            break
        case .journalRestored(let body):
            guard body.mayLackEntries == true else { break }
            for id in clusters.keys { clusters[id]?.distrustRestoredJournal() }
        case .checkpointSigned(let body): checkpoint = body
        case .tokenCreated(let body):
            tokens[body.token.tokenID] = body.token
            forgetEndedTokens(atMs: entry.atMs)
        case .tokenRevoked(let body): tokens[body.tokenID]?.revokedAtMs = entry.atMs
        case .tokenClaimed(let body):
            if let old = body.token.claimedFrom { tokens[old]?.revokedAtMs = entry.atMs }
            tokens[body.token.tokenID] = body.token
            forgetEndedTokens(atMs: entry.atMs)
        case .clusterReleased: entry.clusterID.map { clusters[$0]?.release() }
        case .clusterConfigured(let body):
            alertChannels = body.alertChannels
            if clusters[body.cluster.clusterID] == nil {
                clusters[body.cluster.clusterID] = ClusterState(body)
            } else {
                clusters[body.cluster.clusterID]?.configure(body)
            }
        case .alertQueued(let body):
            let channels = body.alert.channels.isEmpty ? alertChannels : body.alert.channels
            if !channels.isEmpty {
                pendingAlerts[body.alert.alertID] = PendingAlert(
                    alert: body.alert, channels: Set(channels))
            }
            clusters[body.alert.clusterID]?.run?.evolve(.alertQueued(body), atMs: entry.atMs)
        case .alertDelivered(let body):
            settle(body.alertID, channel: body.channel)
        case .alertDead(let body):
            settle(body.alertID, channel: body.channel)
        case .fleetConfigured(let body): fleet.settings = body.brake
        case .brakeLatched(let body):
            fleet.latch(body, of: entry.clusterID ?? "", atMs: entry.atMs)
        case .brakeCleared: fleet.clear()
        default:
            guard let cluster = entry.clusterID else { return }
            count(body, of: cluster, entry)
            clusters[cluster]?.evolve(body, atMs: entry.atMs)
        }
    }

    /// What the fleet-wide brake counts, looked at before the cluster forgets its run.
    private mutating func count(
        _ body: JournalBody, of cluster: ClusterID, _ entry: JournalEntry
    ) {
        switch body {
        case .runRequested(let body):
            fleet.begin(body, of: cluster, atMs: entry.atMs)
        case .runFinished(let body):
            if clusters[cluster]?.run?.mayHaveMoved != true { fleet.forget(body.runID) }
        default: break
        }
    }

    private mutating func settle(_ alert: AlertID, channel: String) {
        pendingAlerts[alert]?.channels.remove(channel)
        if pendingAlerts[alert]?.channels.isEmpty == true { pendingAlerts[alert] = nil }
    }
}

extension ClusterState {
    fileprivate mutating func evolve(_ body: JournalBody, atMs: Int64) {
        watchOutage(body, atMs: atMs)
        switch body {
        case .nodeStatusChanged(let body):
            statuses[body.nodeID] = body.to
            evidence[body.nodeID] = body.evidence
            if body.to == .healthy, isActive(body.nodeID) { wasHealthy = true }
        case .clusterStateChanged(let body):
            health = body.to
            healthEvidence = body.evidence
        case .holdChanged(let body): hold = body.hold
        case .runRequested(let body):
            run = RunState(body, atMs: atMs)
            if body.trigger == RunTrigger.scheduled { endScheduled() }
        case .runReplanned(let replanned):
            if let reason = replanned.reason {
                targetFailures[replanned.fromNodeID] = .init(atMs: atMs, reason: reason)
            }
            run?.evolve(body, atMs: atMs)
        case .runAdmitted, .leaseAwaited, .fenceProven, .rollbackStarted,
            .runVerified:
            run?.evolve(body, atMs: atMs)
        case .operationIntended(let intended):
            intend(intended.operation, atMs: atMs)
            learnUndone(body, atMs: atMs)
        case .operationFinished(let finished):
            finish(finished)
            learnUndone(body, atMs: atMs)
        case .hookLeftUndone, .hookSettled: learnUndone(body, atMs: atMs)
        case .primaryChanged(let change):
            primary = change.to
            term = change.term
            inDoubt = nil
            inheritLineage(by: change.to)
            wasHealthy = true
            mayBeBehind = false
            targetFailures[change.to] = nil
            run?.evolve(body, atMs: atMs)
        case .drillStarted(let body): drill = DrillState(body, atMs: atMs)
        case .drillStep(let body):
            if drill?.drillID == body.drillID { drill?.evolve(body.step, atMs: atMs) }
        case .drillFinished(let body):
            drill = nil
            lastDrill = body.report
        case .runFinished(let body): finish(body, atMs: atMs)
        case .approvalRequested, .approvalGiven, .approvalEnded, .reviewOpened, .reviewClosed:
            govern(body)
            if case .approvalRequested(let request) = body,
                request.approval.kind == .move,
                (request.approval.trigger ?? RunTrigger(request.approval.plan.triggerReason))
                    == .scheduled
            {
                // As older versions asked: once it was due.
                endScheduled()
            }
        case .clusterQuarantined(let body): quarantine = body.reason
        case .quarantineEnded: quarantine = nil
        case .pauseStarted, .pauseEnded, .maintenanceStarted, .maintenanceEnded: suspend(body)
        case .weightsShifted(let shifted):
            shift(shifted, atMs: atMs)
            run?.evolve(body, atMs: atMs)
        case .moveScheduled, .scheduleHeld, .scheduleEnded: schedule(body, atMs: atMs)
        case .formerLeasesEnded, .leaseOutlived, .promiseRuleKnown, .leaseObeyed: learn(body)
        case .leadershipStarted, .clusterConfigured, .clusterReleased, .alertQueued,
            .alertDelivered, .alertDead,
            .hookEffectIntended, .hookPacksChanged, .fleetConfigured, .brakeLatched, .brakeCleared,
            .tokenCreated, .tokenRevoked, .tokenClaimed, .loginRefused, .credentialUsed,
            .checkpointSigned, .entryRedacted, .witnessAlarmed, .journalRestored:
            break
        }
    }

    private mutating func intend(_ operation: Operation, atMs: Int64) {
        if operation.command == .promote { inDoubt = operation.nodeID }
        guard let id = operation.runID, run?.runID == id else {
            upkeep[operation.key] = operation
            return
        }
        run?.evolve(.operationIntended(OperationIntended(operation: operation)), atMs: atMs)
    }

    private mutating func finish(_ body: OperationFinished) {
        let operation = run?.operations[body.operation] ?? upkeep[body.operation]
        if run?.operations[body.operation] != nil {
            run?.results[body.operation] = body.result
        } else {
            upkeep[body.operation] = nil
        }
        if operation?.command == .promote, body.result.showsNoPromotion { inDoubt = nil }
        guard let operation else { return }
        learnLineage(from: operation, body.result)
        guard body.result.outcome == .ok, let node = operation.nodeID else { return }
        let isSettled: [AgentCommand.Name] = [.fence, .demote, .rejoin]
        if node == inDoubt, let command = operation.command, isSettled.contains(command) {
            inDoubt = nil
        }
    }

    private mutating func finish(_ body: RunFinished, atMs: Int64) {
        guard let run else { return }
        lastRun = RunSummary(
            runID: run.runID, planID: run.plan.planID, kind: run.kind, state: body.state,
            reason: body.reason, fromNodeID: run.plan.primaryNodeID,
            toNodeID: run.plan.failoverTargetID, confidence: run.verification?.confidence,
            fenceProof: run.fenceProof, startedAtMs: run.requestedAtMs, finishedAtMs: atMs,
            deductions: run.verification.map { $0.deductions.map(\.text) },
            troubles: run.troubles)
        for operation in run.pendingOperations { upkeep[operation.key] = operation }
        rememberMove(run, body.state, atMs: atMs)
        // One that a policy refused has started nothing.
        let isOrdered = run.operations.values.contains { $0.command == .restart }
        // What our own fence has stopped is no failure of the service.
        if run.kind == .restart, isOrdered, run.trigger != RunTrigger.fencedHere {
            restartsAtMs = (restartsAtMs + [atMs]).suffix(16)
        }
        if body.state == .failed, let reason = run.reasonAgainstTarget(body.reason) {
            targetFailures[run.plan.failoverTargetID] = .init(atMs: atMs, reason: reason)
        }
        failedRunsInRow = body.state == .committed ? 0 : failedRunsInRow + 1
        if body.state == .committed {
            for (stage, duration) in body.phasesMs {
                guard let action = ActionType(rawValue: stage) else { continue }
                estimates.record(action, durationMs: duration)
            }
        }
        self.run = nil
    }
}
