/// The state of the whole orchestrator for people and programs: `GET /status`.
package struct StatusReport: Codable, Hashable, Sendable {
    package var epoch: Int64
    package var seq: Int64
    package var pendingAlerts: Int
    package var brake: BrakeStatus
    package var clusters: [ClusterStatus]
    /// The journal's own state.
    package var audit: AuditStatus?

    private enum CodingKeys: String, CodingKey {
        case epoch, seq
        case pendingAlerts = "pending_alerts"
        case brake
        case clusters, audit
    }
}

package struct AuditStatus: Codable, Hashable, Sendable {
    package struct WitnessStatus: Codable, Hashable, Sendable {
        /// Of which cluster; an older server does not say.
        package var clusterID: ClusterID?
        package var nodeID: NodeID
        /// The last checkpoint that it keeps.
        package var seq: Int64
        package var alarm: String?

        package init(clusterID: ClusterID? = nil, nodeID: NodeID, seq: Int64, alarm: String?) {
            self.clusterID = clusterID
            self.nodeID = nodeID
            self.seq = seq
            self.alarm = alarm
        }

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case seq, alarm
        }
    }

    /// The entry of the newest checkpoint; `nil`: nothing was ever signed.
    package var signedSeq: Int64?
    package var witnesses: [WitnessStatus]
    /// Why nothing is decided or done at the moment; `nil`: all is well.
    package var suspended: String?

    package init(signedSeq: Int64?, witnesses: [WitnessStatus], suspended: String?) {
        self.signedSeq = signedSeq
        self.witnesses = witnesses
        self.suspended = suspended
    }

    private enum CodingKeys: String, CodingKey {
        case signedSeq = "signed_seq"
        case witnesses, suspended
    }
}

/// The fleet-wide brake: `GET /brake`, and within `GET /status`.
package struct BrakeStatus: Codable, Hashable, Sendable {
    package var maxFailovers: Int
    package var windowS: Int64
    /// Automatic failovers within the window.
    package var failovers: Int
    /// `nil`: it does not hold.
    package var latch: BrakeLatch?
    /// It holds, because of a cluster that the credential does not reach.
    package var isLatchedElsewhere: Bool?

    private enum CodingKeys: String, CodingKey {
        case maxFailovers = "max_failovers"
        case windowS = "window_s"
        case failovers, latch
        case isLatchedElsewhere = "latched_elsewhere"
    }
}

package struct ClusterStatus: Codable, Hashable, Sendable {
    package var clusterID: ClusterID
    package var name: String
    package var policyID: PolicyID
    package var state: ClusterHealth
    /// Why it is in this state.
    package var stateEvidence: String?
    /// Why acknowledged writes may be lost although the policy allows no loss, or why that is not
    /// known; `nil`: they are on another node, or the policy allows a loss.
    package var replicationTrouble: String?
    package var primaryNodeID: NodeID
    package var term: Int64
    package var nodes: [NodeStatusReport]
    package var run: ActiveRun?
    package var lastRun: RunSummary?
    /// A drill under way, and the last one.
    package var drill: ActiveDrill?
    package var lastDrill: DrillSummary?
    package var holds: [Hold]
    /// A move that is arranged, and what keeps it from beginning where it is due.
    package var scheduled: ScheduledMove?
    package var scheduledHold: Hold?
    /// The approval in advance for the arranged move.
    package var scheduledApproval: PendingApproval?
    /// What became of the last arranged move.
    package var lastScheduled: ScheduleSummary?
    package var pause: Suspension?
    package var maintenance: Suspension?
    /// A move that waits for the consent of others.
    package var approval: PendingApproval?
    /// What broken glass left to be looked at.
    package var reviews: [OpenReview]
    /// Hooks that did not do their part of a run that has ended; `nil`: none.
    package var undoneHooks: [UndoneHookReport]?

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case name
        case policyID = "policy_id"
        case state
        case stateEvidence = "state_evidence"
        case replicationTrouble = "replication_trouble"
        case primaryNodeID = "primary_node_id"
        case term, nodes, run
        case lastRun = "last_run"
        case drill
        case lastDrill = "last_drill"
        case holds, scheduled
        case scheduledHold = "scheduled_hold"
        case scheduledApproval = "scheduled_approval"
        case lastScheduled = "last_scheduled"
        case pause, maintenance, approval, reviews
        case undoneHooks = "undone_hooks"
    }
}

/// Every arranged move: `GET /schedules`.
package struct ScheduleList: Codable, Hashable, Sendable {
    package struct Item: Codable, Hashable, Sendable {
        package var clusterID: ClusterID
        package var move: ScheduledMove
        package var hold: Hold?
        package var approval: PendingApproval?

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case move, hold, approval
        }
    }

    package var schedules: [Item]

    package init(_ report: StatusReport) {
        schedules = report.clusters.compactMap { cluster in
            cluster.scheduled.map {
                Item(
                    clusterID: cluster.clusterID, move: $0, hold: cluster.scheduledHold,
                    approval: cluster.scheduledApproval)
            }
        }
    }
}

package struct NodeStatusReport: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var role: NodeRole
    package var status: NodeStatus
    package var region: String
    package var site: String
    package var service: ServiceReport?
    package var heardMsAgo: Int64?
    /// Whether it reports. Where it does not, `service` is what it said last.
    package var isHeard: Bool?
    /// Why the status is what it is.
    package var evidence: String?
    /// What keeps it from being brought back into service; `nil`: nothing that is known.
    package var upkeepTrouble: String?
    /// What its agent is at, as long as the data is.
    package var work: NodeWork?
    /// In an active/active cluster: its share of the load now.
    package var weight: Int64?
    package var maintenance: Suspension?
    /// The version of its agent, as it says itself.
    package var agentVersion: String?

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case role, status, region, site, service
        case heardMsAgo = "heard_ms_ago"
        case isHeard = "heard"
        case evidence
        case upkeepTrouble = "upkeep_trouble"
        case work
        case weight, maintenance
        case agentVersion = "agent_version"
    }
}

package struct ActiveRun: Codable, Hashable, Sendable {
    package var runID: RunID
    package var planID: PlanID
    package var kind: PlanKind
    package var phase: RunPhase
    /// The stage that it is in; `nil`: before the first.
    package var stage: Stage?
    /// Hooks and commands that did not end well so far.
    package var troubles: [String]?
    package var fromNodeID: NodeID
    package var toNodeID: NodeID
    package var startedAtMs: Int64
    package var deadlineAtMs: Int64

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case planID = "plan_id"
        case kind, phase, stage, troubles
        case fromNodeID = "from_node_id"
        case toNodeID = "to_node_id"
        case startedAtMs = "started_at_ms"
        case deadlineAtMs = "deadline_at_ms"
    }
}

package struct ActiveDrill: Codable, Hashable, Sendable {
    package var drillID: RunID
    package var scenario: DrillScenario
    package var startedAtMs: Int64

    private enum CodingKeys: String, CodingKey {
        case drillID = "drill_id"
        case scenario
        case startedAtMs = "started_at_ms"
    }
}

package struct DrillSummary: Codable, Hashable, Sendable {
    package var drillID: RunID
    package var scenario: DrillScenario
    package var state: DrillReport.State
    package var predictedRTOMs: Int64
    package var startedAtMs: Int64

    private enum CodingKeys: String, CodingKey {
        case drillID = "drill_id"
        case scenario, state
        case predictedRTOMs = "predicted_rto_ms"
        case startedAtMs = "started_at_ms"
    }
}

/// Where a drill stands: `GET /drill/ID`.
package enum DrillProgress: Hashable, Sendable {
    case running
    case finished(DrillReport)
}

extension Orchestrator {
    /// `nil` for a drill that is not known; the journal keeps the reports of all.
    package func drillProgress(_ id: RunID) -> DrillProgress? {
        for cluster in state.clusters.values {
            if cluster.drill?.drillID == id { return .running }
            if let report = cluster.lastDrill, report.drillID == id { return .finished(report) }
        }
        return nil
    }

    package func statusReport(at now: Moment) -> StatusReport {
        StatusReport(
            epoch: state.epoch, seq: state.head.seq, pendingAlerts: state.pendingAlerts.count,
            brake: BrakeStatus(
                maxFailovers: state.fleet.brake.maxFailovers,
                windowS: state.fleet.brake.windowS,
                failovers: state.fleet.moves(atMs: now.utcMs).count, latch: state.fleet.latch),
            clusters: state.clusters.values
                .filter { !$0.isReleased }
                .sorted { $0.cluster.clusterID < $1.cluster.clusterID }
                .map { status(of: $0, now) })
    }

    private func status(of cluster: ClusterState, _ now: Moment) -> ClusterStatus {
        let id = cluster.cluster.clusterID
        let nodes = cluster.cluster.nodes.map { node in
            let seen = observations[id]?.nodes[node.nodeID]
            return NodeStatusReport(
                nodeID: node.nodeID, role: cluster.role(of: node),
                status: cluster.status(of: node.nodeID), region: node.region, site: node.site,
                service: seen?.report?.service,
                heardMsAgo: seen?.heardAtMs.map { now.monotonicMs - $0 },
                isHeard: isHeard(node.nodeID, in: id, now),
                evidence: cluster.evidence[node.nodeID], upkeepTrouble: seen?.upkeepTrouble,
                work: seen?.report?.work,
                weight: cluster.cluster.topology == .activeActive && node.role == .primary
                    ? cluster.weight(of: node.nodeID) : nil,
                maintenance: cluster.nodeMaintenance[node.nodeID],
                agentVersion: seen?.report?.version)
        }
        let run = cluster.run.map {
            ActiveRun(
                runID: $0.runID, planID: $0.plan.planID, kind: $0.kind, phase: $0.phase,
                stage: $0.stageStarts.last?.stage, troubles: $0.troubles,
                fromNodeID: $0.plan.primaryNodeID, toNodeID: $0.plan.failoverTargetID,
                startedAtMs: $0.requestedAtMs, deadlineAtMs: $0.deadlineAtMs)
        }
        return ClusterStatus(
            clusterID: id, name: cluster.cluster.name, policyID: cluster.policy.policyID,
            state: cluster.health,
            stateEvidence: cluster.healthEvidence.isEmpty ? nil : cluster.healthEvidence,
            replicationTrouble: replicationTrouble(of: cluster, now),
            primaryNodeID: cluster.primary, term: cluster.term,
            nodes: nodes, run: run, lastRun: cluster.lastRun,
            drill: cluster.drill.map {
                ActiveDrill(
                    drillID: $0.drillID, scenario: $0.scenario, startedAtMs: $0.run.requestedAtMs)
            },
            lastDrill: cluster.lastDrill.map {
                DrillSummary(
                    drillID: $0.drillID, scenario: $0.scenario, state: $0.state,
                    predictedRTOMs: $0.predictedRTOMs, startedAtMs: $0.startedAtMs)
            },
            holds: cluster.hold.map { [$0] } ?? [], scheduled: cluster.scheduled,
            scheduledHold: cluster.scheduledHold, scheduledApproval: cluster.scheduledApproval,
            lastScheduled: cluster.lastScheduled, pause: cluster.pause,
            maintenance: cluster.maintenance, approval: cluster.approval,
            reviews: cluster.reviews,
            undoneHooks: cluster.undoneHooks.isEmpty
                ? nil : cluster.undoneInOrder.map(UndoneHookReport.init))
    }
}
