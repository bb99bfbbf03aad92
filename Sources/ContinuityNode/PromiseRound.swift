package import ContinuityCore

/// One round of asking for promises: goes on as soon as enough of the voters have promised.
package struct PromiseRound: Sendable {
    package let request: PromiseRequest
    package let sentAt: BootInstant
    /// Whom to ask.
    package let asked: [NodeID]
    private var promised: Set<NodeID> = []

    /// - Parameters:
    ///   - peers: who can be reached by an address.
    ///   - rule: `nil`: the promises of every peer are needed.
    package init(
        from nodeID: NodeID, of clusterID: ClusterID, obeying leadership: Leadership,
        peers: [NodeID], rule: PromiseRule?, leaseMs: Int64, at now: BootInstant
    ) {
        let others = peers.filter { $0 != nodeID }
        let voters = rule?.voters ?? (others + [nodeID]).sorted()
        asked = others.filter(voters.contains)
        request = PromiseRequest(
            clusterID: clusterID, nodeID: nodeID, epoch: leadership.epoch,
            instanceID: leadership.instanceID, promiseMs: Self.promiseMs(for: leaseMs),
            voters: voters, needed: rule?.needed ?? others.count)
        sentAt = now
    }

    package var needed: Int { request.needed ?? asked.count }

    /// - Returns: whether the lease goes on from now, for the first time.
    package mutating func promise(of voter: NodeID) -> Bool {
        guard asked.contains(voter), promised.insert(voter).inserted else { return false }
        return promised.count == needed
    }

    /// What the lease is from `sentAt`, once enough have promised: a tenth less than the promises,
    /// for clocks run at different speeds, and the fence at its end takes time. Found by simulation.
    package func leaseMs(of wishedMs: Int64) -> Int64 {
        min(wishedMs, request.promiseMs * 9 / 10)
    }

    private static func promiseMs(for leaseMs: Int64) -> Int64 {
        min(leaseMs + leaseMs / 9 + 1, PromiseRequest.longestMs)
    }
}
