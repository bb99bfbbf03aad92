/// Who leads: an epoch, and the process that counted it. Two processes on copies of one journal can
/// count the same epoch; a node obeys the first of them alone.
package struct Leadership: Codable, Hashable, Sendable {
    /// An epoch from a peer that is further ahead than this is not believed: it would make the node
    /// deaf to every orchestrator.
    package static let peerAdvanceMax: Int64 = 1_000_000

    package var epoch: Int64
    /// `nil`: nobody has said it, as an older orchestrator does not.
    package var instanceID: String?

    package init(epoch: Int64, instanceID: String? = nil) {
        self.epoch = epoch
        self.instanceID = instanceID
    }

    /// Why a node that knows this leadership does not obey `other`, or `nil` when it does.
    package func refusal(of other: Leadership) -> String? {
        if other.epoch < epoch {
            return "epoch \(other.epoch) is stale: this agent has seen epoch \(epoch)"
        }
        guard other.epoch == epoch, let instanceID, instanceID != other.instanceID else {
            return nil
        }
        return "epoch \(epoch) is led by instance \(instanceID), this comes from "
            + "\(other.instanceID ?? "an orchestrator that names none"): two orchestrators run on "
            + "copies of one journal; end one of them"
    }
}
