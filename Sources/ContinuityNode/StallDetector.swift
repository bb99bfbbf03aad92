/// Notices that this machine stood still, its clocks with it, by the orchestrator's clock: a
/// hypervisor that pauses a guest can stop `CLOCK_BOOTTIME` too, and what was left of a lease would
/// go on when the guest wakes.
package struct StallDetector: Sendable {
    /// How much two clocks may differ in speed, in thousandths.
    package static let driftPermille: Int64 = 100
    /// Below this it is the network.
    package static let slackMs: Int64 = 50

    private var last: (instanceID: String?, theirsMs: Int64, sentAt: BootInstant)?

    package init() {}

    /// - Parameters:
    ///   - theirsMs: what the orchestrator's clock showed when it answered.
    ///   - sentAt: when the report that it answered was sent.
    /// - Returns: for how long this machine stood still since the answer before; 0: it did not.
    package mutating func heard(
        _ theirsMs: Int64, from instanceID: String?, sentAt: BootInstant, at now: BootInstant
    ) -> Int64 {
        guard let last, last.instanceID == instanceID else {
            self.last = (instanceID, theirsMs, sentAt)
            return 0
        }
        // Answers can overtake each other.
        guard theirsMs > last.theirsMs else { return 0 }
        self.last = (instanceID, theirsMs, sentAt)
        // Their clock was read after that report had left here, and before now.
        let ownMs = max(0, now - last.sentAt)
        let mostMs = ownMs + ownMs * Self.driftPermille / 1000 + Self.slackMs
        let theirMs = theirsMs - last.theirsMs
        return theirMs > mostMs ? theirMs + theirMs * Self.driftPermille / 1000 - ownMs : 0
    }
}
