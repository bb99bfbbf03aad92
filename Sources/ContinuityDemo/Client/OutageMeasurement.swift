/// What one fault was like for the client.
struct OutageMeasurement: Sendable {
    typealias Acknowledgement = WriteProbe.Acknowledgement

    /// The longest time without an acknowledgement that ends after the fault.
    let outage: Duration
    /// From the fault to the first acknowledgement by another node than before. `nil`: none came.
    let untilNewPrimary: Duration?
    /// Who acknowledged first after the fault, other than the old primary.
    let newPrimary: String?
    /// Acknowledged writes that were sent to another node when the new primary had already
    /// acknowledged one: two nodes accepting at once.
    let dualPrimaryWrites: Int

    /// - Parameters:
    ///   - acknowledgements: in the order of their acknowledgement.
    ///   - fault: when the old primary was killed, or the switchover requested.
    ///   - oldPrimary: who was primary by then.
    init(
        _ acknowledgements: [Acknowledgement], fault: ContinuousClock.Instant, oldPrimary: String
    ) {
        var longest = Duration.zero
        for (before, after) in zip(acknowledgements, acknowledgements.dropFirst())
        where after.acknowledgedAt > fault {
            longest = max(longest, after.acknowledgedAt - before.acknowledgedAt)
        }
        outage = longest
        let first = acknowledgements.first {
            $0.acknowledgedAt > fault && $0.nodeID != oldPrimary
        }
        newPrimary = first?.nodeID
        untilNewPrimary = first.map { $0.acknowledgedAt - fault }
        if let first {
            dualPrimaryWrites = acknowledgements.count {
                $0.nodeID != first.nodeID && $0.sentAt > first.acknowledgedAt
            }
        } else {
            dualPrimaryWrites = 0
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 500_000_000_000_000) / 1_000_000_000_000_000
    }
}
