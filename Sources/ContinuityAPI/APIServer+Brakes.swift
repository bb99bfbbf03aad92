import ContinuityCore
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

    func addBrakeRoutes(to api: RouterGroup<BasicRequestContext>) {
        api.get("brake") { [orchestrator] _, _ in
            try Self.json(
                encoding: try await Self.journaled { try await orchestrator.status().brake })
        }
        api.post("brake/clear") { [self] request, _ in
            let order = try await Self.body(ClearOrder.self, of: request)
            return try await take(.clearBrake(reason: order.reason), by: order.requestedBy)
        }
    }

    func take(_ order: OperatorOrder, by actor: String?) async throws -> Response {
        let reply = try await Self.journaled {
            try await orchestrator.order(order, by: actor ?? "api")
        }
        guard let reply else {
            throw Problem(.serviceUnavailable, "stopping", "the server is stopping")
        }
        return try Self.answer(reply)
    }
}
