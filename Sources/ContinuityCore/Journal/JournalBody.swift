import FoundationEssentials

/// What an entry says, by kind. Every decision is one of these, the decision not to act too.
package enum JournalBody: Sendable {
    case leadershipStarted(LeadershipStarted)
    case clusterConfigured(ClusterConfigured)
    case clusterReleased(ClusterReleased)
    case nodeStatusChanged(NodeStatusChanged)
    case clusterStateChanged(ClusterStateChanged)
    case holdChanged(HoldChanged)
    case runRequested(RunRequested)
    case runReplanned(RunReplanned)
    case runAdmitted(RunAdmitted)
    case operationIntended(OperationIntended)
    case hookEffectIntended(HookEffectIntended)
    case operationFinished(OperationFinished)
    case leaseAwaited(LeaseAwaited)
    case fenceProven(FenceProven)
    case primaryChanged(PrimaryChanged)
    case rollbackStarted(RollbackStarted)
    case runVerified(RunVerified)
    case runFinished(RunFinished)
    case alertQueued(AlertQueued)
    case alertDelivered(AlertDelivered)
    case alertDead(AlertDead)
    case drillStarted(DrillStarted)
    indirect case drillStep(DrillStep)
    case drillFinished(DrillFinished)
    case hookPacksChanged(HookPacksChanged)
    case checkpointSigned(Checkpoint)
    case entryRedacted(EntryRedacted)
    case witnessAlarmed(WitnessAlarm)
    case journalRestored(JournalRestored)
    case fleetConfigured(FleetConfigured)
    case brakeLatched(BrakeLatched)
    case brakeCleared(BrakeCleared)
    case weightsShifted(WeightsShifted)
    case moveScheduled(MoveScheduled)
    case scheduleHeld(ScheduleHeld)
    case scheduleEnded(ScheduleEnded)
    case clusterQuarantined(ClusterQuarantined)
    case quarantineEnded(QuarantineEnded)
    case pauseStarted(PauseStarted)
    case pauseEnded(PauseEnded)
    case maintenanceStarted(MaintenanceStarted)
    case maintenanceEnded(MaintenanceEnded)
    indirect case approvalRequested(ApprovalRequested)
    case approvalGiven(ApprovalGiven)
    case approvalEnded(ApprovalEnded)
    case reviewOpened(ReviewOpened)
    case reviewClosed(ReviewClosed)
    case tokenCreated(TokenCreated)
    case tokenRevoked(TokenRevoked)
    case tokenClaimed(TokenClaimed)
    case loginRefused(LoginRefused)
    case credentialUsed(CredentialUsed)
    case formerLeasesEnded(FormerLeasesEnded)
    case leaseOutlived(LeaseOutlived)
    case promiseRuleKnown(PromiseRuleKnown)
    case leaseObeyed(LeaseObeyed)
    case hookLeftUndone(HookLeftUndone)
    case hookSettled(HookSettled)
}

extension JournalBody {
    package var kind: String {
        switch self {
        case .leadershipStarted: "leadership_started"
        case .clusterConfigured: "cluster_configured"
        case .clusterReleased: "cluster_released"
        case .nodeStatusChanged: "node_status_changed"
        case .clusterStateChanged: "cluster_state_changed"
        case .holdChanged: "hold_changed"
        case .runRequested: "run_requested"
        case .runReplanned: "run_replanned"
        case .runAdmitted: "run_admitted"
        case .operationIntended: "operation_intended"
        case .hookEffectIntended: "hook_effect_intended"
        case .operationFinished: "operation_finished"
        case .leaseAwaited: "lease_awaited"
        case .fenceProven: "fence_proven"
        case .primaryChanged: "primary_changed"
        case .rollbackStarted: "rollback_started"
        case .runVerified: "run_verified"
        case .runFinished: "run_finished"
        case .alertQueued: "alert_queued"
        case .alertDelivered: "alert_delivered"
        case .alertDead: "alert_dead"
        case .drillStarted: "drill_started"
        case .drillStep: "drill_step"
        case .drillFinished: "drill_finished"
        case .hookPacksChanged: "hook_packs_changed"
        case .checkpointSigned: "checkpoint_signed"
        case .entryRedacted: "entry_redacted"
        case .witnessAlarmed: "witness_alarmed"
        case .journalRestored: "journal_restored"
        case .fleetConfigured: "fleet_configured"
        case .brakeLatched: "brake_latched"
        case .brakeCleared: "brake_cleared"
        case .weightsShifted: "weights_shifted"
        case .moveScheduled: "move_scheduled"
        case .scheduleHeld: "schedule_held"
        case .scheduleEnded: "schedule_ended"
        case .clusterQuarantined: "cluster_quarantined"
        case .quarantineEnded: "quarantine_ended"
        case .pauseStarted: "pause_started"
        case .pauseEnded: "pause_ended"
        case .maintenanceStarted: "maintenance_started"
        case .maintenanceEnded: "maintenance_ended"
        case .approvalRequested: "approval_requested"
        case .approvalGiven: "approval_given"
        case .approvalEnded: "approval_ended"
        case .reviewOpened: "review_opened"
        case .reviewClosed: "review_closed"
        case .tokenCreated: "token_created"
        case .tokenRevoked: "token_revoked"
        case .tokenClaimed: "token_claimed"
        case .loginRefused: "login_refused"
        case .credentialUsed: "credential_used"
        case .formerLeasesEnded: "former_leases_ended"
        case .leaseOutlived: "lease_outlived"
        case .promiseRuleKnown: "promise_rule_known"
        case .leaseObeyed: "lease_obeyed"
        case .hookLeftUndone: "hook_left_undone"
        case .hookSettled: "hook_settled"
        }
    }

    private var payload: any Encodable {
        switch self {
        case .leadershipStarted(let body): body
        case .clusterConfigured(let body): body
        case .clusterReleased(let body): body
        case .nodeStatusChanged(let body): body
        case .clusterStateChanged(let body): body
        case .holdChanged(let body): body
        case .runRequested(let body): body
        case .runReplanned(let body): body
        case .runAdmitted(let body): body
        case .operationIntended(let body): body
        case .hookEffectIntended(let body): body
        case .operationFinished(let body): body
        case .leaseAwaited(let body): body
        case .fenceProven(let body): body
        case .primaryChanged(let body): body
        case .rollbackStarted(let body): body
        case .runVerified(let body): body
        case .runFinished(let body): body
        case .alertQueued(let body): body
        case .alertDelivered(let body): body
        case .alertDead(let body): body
        case .drillStarted(let body): body
        case .drillStep(let body): body
        case .drillFinished(let body): body
        case .hookPacksChanged(let body): body
        case .checkpointSigned(let body): body
        case .entryRedacted(let body): body
        case .witnessAlarmed(let body): body
        case .journalRestored(let body): body
        case .fleetConfigured(let body): body
        case .brakeLatched(let body): body
        case .brakeCleared(let body): body
        case .weightsShifted(let body): body
        case .moveScheduled(let body): body
        case .scheduleHeld(let body): body
        case .scheduleEnded(let body): body
        case .clusterQuarantined(let body): body
        case .quarantineEnded(let body): body
        case .pauseStarted(let body): body
        case .pauseEnded(let body): body
        case .maintenanceStarted(let body): body
        case .maintenanceEnded(let body): body
        case .approvalRequested(let body): body
        case .approvalGiven(let body): body
        case .approvalEnded(let body): body
        case .reviewOpened(let body): body
        case .reviewClosed(let body): body
        case .tokenCreated(let body): body
        case .tokenRevoked(let body): body
        case .tokenClaimed(let body): body
        case .loginRefused(let body): body
        case .credentialUsed(let body): body
        case .formerLeasesEnded(let body): body
        case .leaseOutlived(let body): body
        case .promiseRuleKnown(let body): body
        case .leaseObeyed(let body): body
        case .hookLeftUndone(let body): body
        case .hookSettled(let body): body
        }
    }

    /// The body as a value, for an entry that stands within another.
    func json() throws -> JSONValue { try JSONValue(encoding: payload) }

    /// The body as canonical JSON.
    package func bytes() -> [UInt8] {
        do {
            return try CanonicalJSON.bytes(encoding: payload)
        } catch {
            // The payloads are made of integers, texts and flags: nothing in them can be refused.
            preconditionFailure("a journal body could not be encoded: \(error)")
        }
    }

    /// - Throws: ``JournalFault`` for an unknown kind or a body that does not fit it.
    package init(of entry: JournalEntry) throws(JournalFault) {
        do {
            self = try Self.decode(kind: entry.kind, FoundationEssentials.Data(entry.body))
        } catch let fault as JournalFault {
            throw fault
        } catch {
            throw JournalFault(
                seq: entry.seq, reason: "its body does not fit the kind '\(entry.kind)': \(error)")
        }
    }

    static func decode(kind: String, _ data: Data) throws -> JournalBody {
        func body<Body: Decodable>(_ type: Body.Type = Body.self) throws -> Body {
            try JSONDecoder().decode(Body.self, from: data)
        }
        func readable(_ started: LeadershipStarted) throws -> LeadershipStarted {
            try started.ofReadableFormat()
        }
        switch kind {
        case "leadership_started": return .leadershipStarted(try readable(body()))
        case "cluster_configured": return .clusterConfigured(try body())
        case "cluster_released": return .clusterReleased(try body())
        case "node_status_changed": return .nodeStatusChanged(try body())
        case "cluster_state_changed": return .clusterStateChanged(try body())
        case "hold_changed": return .holdChanged(try body())
        case "run_requested": return .runRequested(try body())
        case "run_replanned": return .runReplanned(try body())
        case "run_admitted": return .runAdmitted(try body())
        case "operation_intended": return .operationIntended(try body())
        case "hook_effect_intended": return .hookEffectIntended(try body())
        case "operation_finished": return .operationFinished(try body())
        case "lease_awaited": return .leaseAwaited(try body())
        case "fence_proven": return .fenceProven(try body())
        case "primary_changed": return .primaryChanged(try body())
        case "rollback_started": return .rollbackStarted(try body())
        case "run_verified": return .runVerified(try body())
        case "run_finished": return .runFinished(try body())
        case "alert_queued": return .alertQueued(try body())
        case "alert_delivered": return .alertDelivered(try body())
        case "alert_dead": return .alertDead(try body())
        case "drill_started": return .drillStarted(try body())
        case "drill_step": return .drillStep(try body())
        case "drill_finished": return .drillFinished(try body())
        case "hook_packs_changed": return .hookPacksChanged(try body())
        case "checkpoint_signed": return .checkpointSigned(try body())
        case "entry_redacted": return .entryRedacted(try body())
        case "witness_alarmed": return .witnessAlarmed(try body())
        case "journal_restored": return .journalRestored(try body())
        case "fleet_configured": return .fleetConfigured(try body())
        case "brake_latched": return .brakeLatched(try body())
        case "brake_cleared": return .brakeCleared(try body())
        case "weights_shifted": return .weightsShifted(try body())
        case "move_scheduled": return .moveScheduled(try body())
        case "schedule_held": return .scheduleHeld(try body())
        case "schedule_ended": return .scheduleEnded(try body())
        case "cluster_quarantined": return .clusterQuarantined(try body())
        case "quarantine_ended": return .quarantineEnded(try body())
        case "pause_started": return .pauseStarted(try body())
        case "pause_ended": return .pauseEnded(try body())
        case "maintenance_started": return .maintenanceStarted(try body())
        case "maintenance_ended": return .maintenanceEnded(try body())
        case "approval_requested": return .approvalRequested(try body())
        case "approval_given": return .approvalGiven(try body())
        case "approval_ended": return .approvalEnded(try body())
        case "review_opened": return .reviewOpened(try body())
        case "review_closed": return .reviewClosed(try body())
        case "token_created": return .tokenCreated(try body())
        case "token_revoked": return .tokenRevoked(try body())
        case "token_claimed": return .tokenClaimed(try body())
        case "login_refused": return .loginRefused(try body())
        case "credential_used": return .credentialUsed(try body())
        case "former_leases_ended": return .formerLeasesEnded(try body())
        case "lease_outlived": return .leaseOutlived(try body())
        case "promise_rule_known": return .promiseRuleKnown(try body())
        case "lease_obeyed": return .leaseObeyed(try body())
        case "hook_left_undone": return .hookLeftUndone(try body())
        case "hook_settled": return .hookSettled(try body())
        default:
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: [],
                    debugDescription:
                        "continuity \(ProductVersion.number) does not know the kind; a "
                        + "newer one wrote it: start that one again, or restore a backup that is "
                        + "older than the upgrade"))
        }
    }
}
