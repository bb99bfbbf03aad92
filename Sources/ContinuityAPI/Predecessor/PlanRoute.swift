import ContinuityConfig
import ContinuityCore
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird

/// `POST /plan`: plans from what the body describes. Nothing is changed, and nothing journaled.
extension APIServer {
    private struct Wish {
        var cluster: Cluster
        var policy: FailoverPolicy
        var request: PlanRequest

        init(_ reader: ConfigReader) throws(ConfigError) {
            cluster = try ClusterFile.read(reader.mapping("cluster"))
            policy = try PolicyFile.read(reader.mapping("policy"), for: cluster)
            let kind: PlanKind = try reader.choice(
                "kind", default: cluster.topology == .activeActive ? .rebalance : .failover)
            request = PlanRequest(
                kind: kind,
                triggerReason: try APIServer.reason("trigger_reason", reader) ?? "manual")
            try reader.finish()
        }
    }

    func planAnswer(
        _ request: Request, _ context: APIContext, _ exchange: Exchange
    ) async throws -> Response {
        let (reader, _) = try await Self.reader(request)
        let wish = try Self.described { () throws(ConfigError) in try Wish(reader) }
        let id = wish.cluster.clusterID
        // The times that were measured here are told to those alone who may see the cluster.
        let served =
            context.caller.reaches(id)
            ? try await Self.journaled { try await orchestrator.servedCluster(id) } : nil
        let began = ContinuousClock.now
        let plan: Plan
        do throws(PlanRefusal) {
            plan = try Planner.plan(
                cluster: wish.cluster, policy: wish.policy, request: wish.request,
                estimates: served?.estimates ?? ActionEstimates(), digest: Self.digest)
        } catch {
            throw Problem(
                .conflict, error.rule.rawValue.replacing("_", with: "-"),
                "no plan: \(error.evidence)")
        }
        let planningMs = Exchange.ms(since: began)
        return exchange.answer(
            [
                "plan_id": .string(plan.planID.rawValue),
                "cluster_id": .string(plan.clusterID.rawValue),
                "policy_id": .string(plan.policyID.rawValue),
                "primary_node_id": .string(plan.primaryNodeID.rawValue),
                "failover_target_id": .string(plan.failoverTargetID.rawValue),
                "estimated_total_ms": .int(plan.estimatedTotalMs),
                "action_count": .int(Int64(plan.actions.count)),
                "plan": try JSONValue(encoding: plan),
            ], times: ["planning": planningMs])
    }
}
