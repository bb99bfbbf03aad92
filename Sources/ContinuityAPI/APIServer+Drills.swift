import ContinuityCore
import ContinuityTransport
import Hummingbird

/// Drills, and packs that are read anew.
extension APIServer {
    private struct DismissOrder: Decodable {
        var clusterID: ClusterID
        var pack: String
        var reason: String
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case pack, reason
            case requestedBy = "requested_by"
        }
    }

    private struct DrillOrder: Decodable {
        var clusterID: ClusterID
        var scenario: DrillScenario?
        var targetNodeID: NodeID?
        var reason: String?
        var requestedBy: String?

        enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case scenario
            case targetNodeID = "target_node_id"
            case reason
            case requestedBy = "requested_by"
        }
    }

    private struct ReloadOrder: Decodable {
        var requestedBy: String?

        enum CodingKeys: String, CodingKey { case requestedBy = "requested_by" }
    }

    func addDrillRoutes(to api: RouterGroup<APIContext>) {
        api.post("drill") { [orchestrator] request, context in
            let order = try Self.body(DrillOrder.self, of: context)
            try context.caller.require(order.clusterID)
            let requester = context.caller.requester(claimed: order.requestedBy)
            let reply = try await Self.journaled {
                try await orchestrator.drill(
                    DrillRequest(
                        clusterID: order.clusterID, scenario: order.scenario ?? .primaryFailure,
                        targetNodeID: order.targetNodeID, reason: order.reason ?? "",
                        requestedBy: requester))
            }
            return try Self.answer(reply)
        }
        api.get("drill/{drill_id}") { [orchestrator] _, context in
            let id = RunID(try context.parameters.require("drill_id"))
            switch try await Self.journaled({ try await orchestrator.drillProgress(id) }) {
            case .running: return Self.json(["state": "running"], status: .accepted)
            case .finished(let report):
                try context.caller.require(report.clusterID)
                return try Self.json(encoding: report)
            case nil:
                throw Problem(
                    .notFound, "no-such-drill",
                    "\(id) is not the last drill of a cluster; look for drill_finished in the "
                        + "journal")
            }
        }
        api.post("hooks/reload") { [orchestrator] request, context in
            let order = try Self.body(ReloadOrder.self, of: context)
            let requester = context.caller.requester(claimed: order.requestedBy)
            let reply = try await Self.journaled {
                try await orchestrator.reloadHooks(requestedBy: requester)
            }
            return try Self.answer(reply)
        }
        api.post("hooks/dismiss") { [self] _, context in
            let order = try Self.body(DismissOrder.self, of: context)
            try context.caller.require(order.clusterID)
            return try await take(
                .dismissHook(order.clusterID, pack: order.pack, reason: order.reason),
                by: context.caller.requester(claimed: order.requestedBy))
        }
    }
}
