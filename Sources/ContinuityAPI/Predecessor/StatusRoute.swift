import ContinuityConfig
import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Hummingbird

/// `POST /status`: what is observed of a cluster that runs here, or else what follows from the
/// statuses that the body gives. The answer says which.
extension APIServer {
    func statusAnswer(
        _ request: Request, _ context: APIContext, _ exchange: Exchange
    ) async throws -> Response {
        let (reader, _) = try await Self.reader(request)
        let cluster = try Self.described { () throws(ConfigError) -> Cluster in
            let cluster = try ClusterFile.read(reader.mapping("cluster"), needsPrimary: false)
            try reader.finish()
            return cluster
        }
        let id = cluster.clusterID
        guard context.caller.reaches(id),
            let served = try await Self.journaled({ try await orchestrator.servedCluster(id) }),
            let observed = try await Self.journaled({ try await orchestrator.status() })
                .clusters.first(where: { $0.clusterID == id })
        else {
            // A node that is degraded still votes.
            let voters = cluster.nodes.count { $0.status == .healthy || $0.status == .degraded }
            return exchange.answer(
                Self.members(
                    "described", id, statuses: cluster.nodes.map(\.status),
                    quorumSize: cluster.quorumSize, hasQuorum: voters >= cluster.quorumSize,
                    primary: cluster.topology == .activePassive ? cluster.primary?.nodeID : nil))
        }
        var members = Self.members(
            "observed", id, statuses: observed.nodes.map(\.status),
            quorumSize: served.cluster.quorumSize,
            hasQuorum: observed.state == .healthy || observed.state == .degraded,
            primary: served.cluster.topology == .activePassive ? observed.primaryNodeID : nil)
        members["state"] = .string(observed.state.rawValue)
        return exchange.answer(members)
    }

    private static func members(
        _ source: String, _ id: ClusterID, statuses: [NodeStatus], quorumSize: Int,
        hasQuorum: Bool, primary: NodeID?
    ) -> [String: JSONValue] {
        [
            "source": .string(source), "cluster_id": .string(id.rawValue),
            "total_nodes": .int(Int64(statuses.count)),
            "healthy_nodes": .int(Int64(statuses.count { $0 == .healthy })),
            "quorum_size": .int(Int64(quorumSize)), "has_quorum": .bool(hasQuorum),
            "primary_node_id": primary.map { .string($0.rawValue) } ?? .null,
        ]
    }
}
