import ContinuityCore
import ContinuityTransport
import Hummingbird

/// Moves that need the consent of others, and what goes past it.
extension APIServer {
    private struct Answer: Decodable {
        var clusterID: ClusterID
        var reason: String?
        var requestedBy: String?
        var lagMs: Int64?
        var bytes: Int64?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case reason, bytes
            case requestedBy = "requested_by"
            case lagMs = "lag_ms"
        }
    }

    private struct GlassOrder: Decodable {
        var clusterID: ClusterID
        var targetNodeID: NodeID?
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case targetNodeID = "target_node_id"
            case reason
            case requestedBy = "requested_by"
        }
    }

    func principal(_ context: APIContext, claimed: String?) -> Principal {
        context.caller.principal(
            claimed: claimed, rules: rules, address: context.channel.remoteAddress?.ipAddress)
    }

    func addApprovalRoutes(to api: RouterGroup<APIContext>) {
        addAnswer("approve", to: api) { .approve($1.clusterID, $0, reason: $1.reason ?? "") }
        addAnswer("refuse", to: api) { .refuse($1.clusterID, $0, reason: $1.reason ?? "") }
        addAnswer("accept-data-loss", to: api) { id, answer in
            guard let lagMs = answer.lagMs else {
                throw Problem(
                    .badRequest, "bad-body",
                    "name the loss that is accepted: 'lag_ms', and 'bytes' where they are known")
            }
            return .acceptDataLoss(
                answer.clusterID, id, DataLoss(lagMs: lagMs, bytes: answer.bytes),
                reason: answer.reason ?? "")
        }
        api.post("break-glass") { [self] request, context in
            let order = try Self.body(GlassOrder.self, of: context)
            try context.caller.require(order.clusterID)
            guard !order.reason.isEmpty else {
                throw Problem(.badRequest, "bad-reason", "say why the glass is broken")
            }
            let principal = principal(context, claimed: order.requestedBy)
            return try Self.answer(
                try await Self.journaled {
                    try await orchestrator.request(
                        OperatorRequest(
                            clusterID: order.clusterID, kind: .failover,
                            targetNodeID: order.targetNodeID, reason: order.reason,
                            requestedBy: principal, isBreakGlass: true))
                })
        }
        api.post("reviews/{review_id}/close") { [self] request, context in
            let id = ReviewID(try context.parameters.require("review_id"))
            let answer = try Self.body(Answer.self, of: context)
            return try await take(
                .closeReview(answer.clusterID, id, note: answer.reason ?? ""), answer, context)
        }
    }

    private func addAnswer(
        _ verb: String, to api: RouterGroup<APIContext>,
        _ act: @escaping @Sendable (ApprovalID, Answer) throws -> ApprovalAct
    ) {
        api.post(RouterPath("approvals/{approval_id}/\(verb)")) { [self] request, context in
            let id = ApprovalID(try context.parameters.require("approval_id"))
            let answer = try Self.body(Answer.self, of: context)
            return try await take(try act(id, answer), answer, context)
        }
    }

    private func take(
        _ act: ApprovalAct, _ answer: Answer, _ context: APIContext
    ) async throws -> Response {
        try context.caller.require(answer.clusterID)
        let principal = principal(context, claimed: answer.requestedBy)
        let reply = try await Self.journaled {
            try await orchestrator.approval(act, by: principal)
        }
        return try Self.answer(reply)
    }
}
