import ContinuityConfig
import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Hummingbird

/// `POST /execute`: has a plan carried out that was made before, if it is still the one that the
/// server would make now. Approvals, holds and brakes are those of every other request.
extension APIServer {
    /// In seconds: how long an answer waits at most for the run's end.
    private static let waitMaxS: Int64 = 60

    private struct Order {
        var plan: Plan
        var cluster: Cluster?
        var policy: FailoverPolicy?
        var isDryRun: Bool
        var waitMs: Int64
        var reason: String
        var requestedBy: String?

        init(_ reader: ConfigReader) throws(ConfigError) {
            let content = try reader.mapping("plan")
            // The predecessor's plans carried both.
            if let described = try content.optionalMapping("cluster") {
                cluster = try ClusterFile.read(described)
            }
            if let rules = try content.optionalMapping("policy") {
                guard let cluster else {
                    throw content.error(
                        "'plan.policy' stands without 'plan.cluster'",
                        remedy: "send both, or neither", at: "policy")
                }
                policy = try PolicyFile.read(rules, for: cluster)
            }
            plan = try PlanFile.read(content, digest: APIServer.digest)
            if let cluster, cluster.clusterID != plan.clusterID {
                throw content.error(
                    "'plan.cluster' is '\(cluster.clusterID)', and the plan is for "
                        + "'\(plan.clusterID)'",
                    remedy: "send what belongs together", at: "cluster")
            }
            guard plan.triggerReason.count <= APIServer.reasonMax else {
                throw content.error(
                    "'trigger_reason' is longer than \(APIServer.reasonMax) characters",
                    remedy: "plan anew with less", at: "trigger_reason")
            }
            isDryRun = try reader.bool("dry_run", default: false)
            waitMs =
                try reader.int(
                    "wait_s", in: 0...APIServer.waitMaxS,
                    default: min(APIServer.waitMaxS, (plan.maxFailoverTimeMs + 999) / 1000)) * 1000
            reason = try APIServer.reason("reason", reader) ?? plan.triggerReason
            requestedBy = try APIServer.reason("requested_by", reader)
            try reader.finish()
        }
    }

    func executeAnswer(
        _ request: Request, _ context: APIContext, _ exchange: Exchange
    ) async throws -> Response {
        let (reader, _) = try await Self.reader(request)
        let order = try Self.described { () throws(ConfigError) in try Order(reader) }
        let plan = order.plan
        try context.caller.require(plan.clusterID)
        guard plan.kind == .failover || plan.kind == .switchover else {
            throw Problem(
                .conflict, "not-on-request",
                "a \(plan.kind.rawValue) is nothing that people ask for: the server does it by "
                    + "itself where the policy says so")
        }
        let served = try await Self.journaled {
            try await orchestrator.servedCluster(plan.clusterID)
        }
        guard let served else {
            throw Problem(
                .notFound, "no-such-cluster",
                "this server does not run '\(plan.clusterID)', so it can plan for it but not move "
                    + "it")
        }
        try Self.check(order.cluster, order.policy, against: served)
        // What comes later belongs to it.
        let seq = try await Self.journaled { try await orchestrator.status().seq }
        return order.isDryRun
            ? try await drill(order, context, after: seq, exchange)
            : try await move(order, context, after: seq, exchange)
    }

    /// - Throws: ``Problem`` when what came with the plan is not what this server runs.
    private static func check(
        _ cluster: Cluster?, _ policy: FailoverPolicy?, against served: ServedCluster
    ) throws {
        var found: [String] = []
        func compare(_ name: String, _ here: String, _ sent: String) {
            if here != sent { found.append("\(name) is \(here) here, not \(sent)") }
        }
        if let cluster {
            func names(_ cluster: Cluster) -> String {
                cluster.nodes.map(\.nodeID.rawValue).sorted().joined(separator: ", ")
            }
            compare("the cluster's nodes", names(served.cluster), names(cluster))
            compare(
                "quorum_size", "\(served.cluster.quorumSize)", "\(cluster.quorumSize)")
        }
        if let sent = policy {
            let here = served.policy
            compare("policy_id", here.policyID.rawValue, sent.policyID.rawValue)
            compare("strategy", here.strategy.rawValue, sent.strategy.rawValue)
            compare(
                "max_failover_time_s", "\(here.maxFailoverTimeS)", "\(sent.maxFailoverTimeS)")
            compare("require_quorum", "\(here.requireQuorum)", "\(sent.requireQuorum)")
            compare("region_priority", "\(here.regionPriority)", "\(sent.regionPriority)")
            compare("site_priority", "\(here.sitePriority)", "\(sent.sitePriority)")
            compare("min_healthy_nodes", "\(here.minHealthyNodes)", "\(sent.minHealthyNodes)")
        }
        guard !found.isEmpty else { return }
        throw Problem(
            .conflict, "plan-changed",
            "the plan was made for something else: "
                + found.joined(separator: "; ").prefix(2000) + "; plan anew with what runs here")
    }

    // MARK: In earnest

    private func move(
        _ order: Order, _ context: APIContext, after seq: Int64, _ exchange: Exchange
    ) async throws -> Response {
        let principal = principal(context, claimed: order.requestedBy)
        let reply = try await Self.journaled {
            try await orchestrator.request(
                OperatorRequest(
                    clusterID: order.plan.clusterID, kind: order.plan.kind, targetNodeID: nil,
                    reason: order.reason, requestedBy: principal, expectedPlan: order.plan))
        }
        let runID: RunID
        switch reply {
        case .accepted(let id, _): runID = id
        case .awaitingApproval(let approval):
            return exchange.answer(
                [
                    "status": "awaiting_approval",
                    "approval_id": .string(approval.approvalID.rawValue),
                    "plan_id": .string(approval.plan.planID.rawValue),
                    "needed": .int(Int64(approval.needed)),
                    "expires_at_ms": .int(approval.expiresAtMs),
                ], status: .accepted)
        default: return try Self.answer(reply)
        }
        var facts: RunFacts?
        try await follow(after: seq, forMs: order.waitMs) { body, atMs in
            if case .runRequested(let body) = body, body.runID == runID {
                facts = RunFacts(body, atMs: atMs)
            }
            facts?.take(body, atMs: atMs)
            return facts?.end != nil
        }
        guard let facts, let end = facts.end else {
            return exchange.answer(
                [
                    "status": "running", "execution_id": .string(runID.rawValue),
                    "audit_id": .string(runID.rawValue),
                    "plan_id": .string((facts?.plan ?? order.plan).planID.rawValue),
                ], status: .accepted)
        }
        var members = facts.execution
        members["audit_id"] = .string(runID.rawValue)
        members["confidence"] = facts.confidence
        return exchange.answer(members, times: ["execution": end.durationMs])
    }

    // MARK: As a drill

    private func drill(
        _ order: Order, _ context: APIContext, after seq: Int64, _ exchange: Exchange
    ) async throws -> Response {
        let reply = try await Self.journaled {
            try await orchestrator.drill(
                DrillRequest(
                    clusterID: order.plan.clusterID,
                    scenario: order.plan.kind == .switchover ? .switchover : .primaryFailure,
                    reason: order.reason,
                    requestedBy: context.caller.requester(claimed: order.requestedBy),
                    expectedPlan: order.plan))
        }
        guard case .drillAccepted(let drillID, let planID) = reply else {
            return try Self.answer(reply)
        }
        var report: DrillReport?
        try await follow(after: seq, forMs: order.waitMs) { body, _ in
            guard case .drillFinished(let body) = body, body.report.drillID == drillID else {
                return false
            }
            report = body.report
            return true
        }
        var members: [String: JSONValue] = [
            "execution_id": .string(drillID.rawValue), "plan_id": .string(planID.rawValue),
            "dry_run": true,
        ]
        guard let report else {
            members["status"] = "running"
            return exchange.answer(members, status: .accepted)
        }
        let actions = Set(order.plan.actions.map(\.action.rawValue))
        let reached = report.stages.count { $0.reached && actions.contains($0.stage.rawValue) }
        let failed = report.state == .failed && reached > 0 ? 1 : 0
        members["status"] = .string(report.state.rawValue)
        members["reason"] = .string(report.detail)
        members["success"] = .bool(report.state == .passed)
        members["actions_executed"] = .int(Int64(reached - failed))
        members["actions_failed"] = .int(Int64(failed))
        members["total_duration_ms"] = .int(report.durationMs)
        // An audit pack is of what was done, and nothing was.
        members["audit_id"] = .null
        members["confidence"] = RunFacts.confidence(report.confidence)
        members["drill"] = try JSONValue(encoding: report)
        return exchange.answer(members, times: ["execution": report.durationMs])
    }

    // MARK: Waiting

    /// Hands over what the journal gets until `isEnough` or the time is over. Whoever waits here
    /// only looks: when they go away, what they look at goes on.
    private func follow(
        after seq: Int64, forMs waitMs: Int64, _ isEnough: (JournalBody, Int64) -> Bool
    ) async throws {
        let began = ContinuousClock.now
        var seq = seq
        while true {
            let leftMs = max(0, waitMs - Exchange.ms(since: began))
            let after = seq
            let entries = try await Self.journaled {
                try await orchestrator.entries(after: after, limit: 500, waitMs: leftMs)
            }
            for entry in entries {
                seq = entry.seq
                guard let body = try? JournalBody(of: entry) else { continue }
                if isEnough(body, entry.atMs) { return }
            }
            if entries.isEmpty, leftMs == 0 { return }
            try Task.checkCancellation()
        }
    }
}
