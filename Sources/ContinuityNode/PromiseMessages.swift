package import ContinuityCore

/// Asks another voter not to be promoted for a while: `POST /v1/promises`, when a primary hears
/// no orchestrator.
package struct PromiseRequest: Codable, Hashable, Sendable {
    package static let longestMs: Int64 = 600_000

    package var clusterID: ClusterID
    /// The primary that asks.
    package var nodeID: NodeID
    package var epoch: Int64
    package var promiseMs: Int64

    package init(clusterID: ClusterID, nodeID: NodeID, epoch: Int64, promiseMs: Int64) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.epoch = epoch
        self.promiseMs = promiseMs
    }

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case nodeID = "node_id"
        case epoch
        case promiseMs = "promise_ms"
    }
}

package struct PromiseReply: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var promised: Bool
    /// Why not, for people. Empty when the promise is given.
    package var detail: String

    package init(nodeID: NodeID, promised: Bool, detail: String = "") {
        self.nodeID = nodeID
        self.promised = promised
        self.detail = detail
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case promised, detail
    }
}
