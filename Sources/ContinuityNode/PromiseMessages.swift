package import ContinuityCore

/// Asks another voter not to be promoted for a while: `POST /v1/promises`, when a primary hears
/// no orchestrator.
package struct PromiseRequest: Codable, Hashable, Sendable {
    package static let longestMs: Int64 = 600_000

    package var clusterID: ClusterID
    /// The primary that asks.
    package var nodeID: NodeID
    package var epoch: Int64
    /// Whom the asker obeys in that epoch; `nil`: it has not heard, or is older.
    package var instanceID: String?
    package var promiseMs: Int64
    /// The set that the asker goes by, itself among them; `nil`: an older asker, which needs the
    /// promises of all its peers.
    package var voters: [NodeID]?
    /// How many promises of them it needs.
    package var needed: Int?

    package init(
        clusterID: ClusterID, nodeID: NodeID, epoch: Int64, instanceID: String? = nil,
        promiseMs: Int64, voters: [NodeID]? = nil, needed: Int? = nil
    ) {
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.epoch = epoch
        self.instanceID = instanceID
        self.promiseMs = promiseMs
        self.voters = voters
        self.needed = needed
    }

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case nodeID = "node_id"
        case epoch
        case instanceID = "instance_id"
        case promiseMs = "promise_ms"
        case voters, needed
    }

    /// What is wrong with its numbers, for the asker; `nil`: nothing.
    package var fault: String? {
        if !(1...Self.longestMs).contains(promiseMs) {
            return "'promise_ms' must be from 1 to \(Self.longestMs)"
        }
        if !(0...WireBounds.integerMax).contains(epoch) {
            return "'epoch' must be a whole number from 0 to \(WireBounds.integerMax)"
        }
        let votersMax = ReportReply.votersMax
        guard (voters?.count ?? 0) <= votersMax, (0...votersMax).contains(needed ?? 0) else {
            return "'voters' and 'needed' are out of range"
        }
        return nil
    }

    package var leadership: Leadership { Leadership(epoch: epoch, instanceID: instanceID) }
}

package struct PromiseReply: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var promised: Bool
    /// Why not, for people. Empty when the promise is given.
    package var detail: String
    /// With a refusal for the epoch: the leadership that the voter obeys. The asker takes it over
    /// and asks again, for a new leader does not end a promise.
    package var epoch: Int64?
    package var instanceID: String?

    package init(
        nodeID: NodeID, promised: Bool, detail: String = "", epoch: Int64? = nil,
        instanceID: String? = nil
    ) {
        self.nodeID = nodeID
        self.promised = promised
        self.detail = detail
        self.epoch = epoch
        self.instanceID = instanceID
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case promised, detail, epoch
        case instanceID = "instance_id"
    }

    /// What is wrong with its numbers; `nil`: nothing. Nobody counts on another answer.
    package var fault: String? {
        guard let epoch, !(0...WireBounds.integerMax).contains(epoch) else { return nil }
        return "'epoch' must be a whole number from 0 to \(WireBounds.integerMax)"
    }
}
