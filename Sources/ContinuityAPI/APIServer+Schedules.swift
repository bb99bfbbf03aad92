import ContinuityCore
import ContinuityTransport
import Hummingbird

/// Moves that are arranged for a time.
extension APIServer {
    private struct Arrangement: Decodable {
        var clusterID: ClusterID
        var kind: PlanKind
        /// RFC 3339.
        var at: String
        var windowS: Int64?
        var targetNodeID: NodeID?
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case kind, at
            case windowS = "window_s"
            case targetNodeID = "target_node_id"
            case reason
            case requestedBy = "requested_by"
        }
    }

    private struct Cancellation: Decodable {
        var clusterID: ClusterID
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case reason
            case requestedBy = "requested_by"
        }
    }

    func addScheduleRoutes(to api: RouterGroup<APIContext>) {
        api.get("schedules") { [orchestrator] _, context in
            var report = try await Self.journaled { try await orchestrator.status() }
            report.clusters.removeAll { !context.caller.reaches($0.clusterID) }
            return try Self.json(encoding: ScheduleList(report))
        }
        api.post("schedules") { [self] request, context in
            let order = try Self.body(Arrangement.self, of: context)
            try context.caller.require(order.clusterID)
            guard let atMs = APITime.milliseconds(of: order.at) else {
                throw Problem(
                    .badRequest, "bad-time",
                    "'at' is a time after RFC 3339, for example 2026-12-24T02:00:00Z")
            }
            let wish = ScheduleWish(
                clusterID: order.clusterID, kind: order.kind, targetNodeID: order.targetNodeID,
                atMs: atMs,
                windowS: order.windowS ?? 0, reason: order.reason,
                knownBy: context.caller.knowers(rules))
            return try await take(
                .schedule(wish), by: context.caller.requester(claimed: order.requestedBy))
        }
        api.post("schedules/cancel") { [self] request, context in
            let order = try Self.body(Cancellation.self, of: context)
            try context.caller.require(order.clusterID)
            return try await take(
                .cancelSchedule(order.clusterID, reason: order.reason),
                by: context.caller.requester(claimed: order.requestedBy))
        }
    }
}
