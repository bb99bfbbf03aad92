import ContinuityCore
import ContinuityTransport
import Hummingbird

/// What people order apart from a move: the fleet-wide brake, pause, maintenance.
extension APIServer {
    private struct ClearOrder: Decodable {
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case reason
            case requestedBy = "requested_by"
        }
    }

    private struct SuspensionOrder: Decodable {
        var clusterID: ClusterID
        var nodeID: NodeID?
        var owner: String?
        var reason: String
        var durationS: Int64
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case owner, reason
            case durationS = "duration_s"
            case requestedBy = "requested_by"
        }

        /// Whose it is when nobody else is named: whoever asks, as far as that is proven.
        func wish(by requester: String) -> SuspensionWish {
            SuspensionWish(owner: owner ?? requester, reason: reason, durationS: durationS)
        }
    }

    private struct EndOrder: Decodable {
        var clusterID: ClusterID
        var nodeID: NodeID?
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case nodeID = "node_id"
            case reason
            case requestedBy = "requested_by"
        }
    }

    private func addSuspensionRoutes(to api: RouterGroup<APIContext>) {
        api.post("pause") { [self] request, context in
            let order = try Self.body(SuspensionOrder.self, of: context)
            try context.caller.require(order.clusterID)
            let requester = context.caller.requester(claimed: order.requestedBy)
            return try await take(
                .pause(order.clusterID, order.wish(by: requester)),
                by: requester)
        }
        api.post("resume") { [self] request, context in
            let order = try Self.body(EndOrder.self, of: context)
            try context.caller.require(order.clusterID)
            return try await take(
                .resume(order.clusterID, reason: order.reason),
                by: context.caller.requester(claimed: order.requestedBy))
        }
        api.post("maintenance/start") { [self] request, context in
            let order = try Self.body(SuspensionOrder.self, of: context)
            try context.caller.require(order.clusterID)
            let requester = context.caller.requester(claimed: order.requestedBy)
            return try await take(
                .beginMaintenance(order.clusterID, order.nodeID, order.wish(by: requester)),
                by: requester)
        }
        api.post("maintenance/end") { [self] request, context in
            let order = try Self.body(EndOrder.self, of: context)
            try context.caller.require(order.clusterID)
            return try await take(
                .endMaintenance(order.clusterID, order.nodeID, reason: order.reason),
                by: context.caller.requester(claimed: order.requestedBy))
        }
    }

    func addBrakeRoutes(to api: RouterGroup<APIContext>) {
        addSuspensionRoutes(to: api)
        api.get("brake") { [orchestrator] _, context in
            try Self.json(
                encoding: try await Self.visible(orchestrator, to: context.caller).brake)
        }
        api.post("brake/clear") { [self] request, context in
            let order = try Self.body(ClearOrder.self, of: context)
            return try await take(
                .clearBrake(reason: order.reason),
                by: context.caller.requester(claimed: order.requestedBy))
        }
    }

    func take(_ order: OperatorOrder, by actor: String) async throws -> Response {
        let reply = try await Self.journaled {
            try await orchestrator.order(order, by: actor)
        }
        return try Self.answer(reply)
    }
}
