/// What one fault was like for the client.
struct OutageMeasurement: Sendable {
    typealias Acknowledgement = WriteProbe.Acknowledgement

    /// How long after the new primary's first acknowledgement a gap still belongs to the outage:
    /// a primary that takes one write and then stalls has not recovered.
    static let settlingTime: Duration = .seconds(1)

    /// The longest time without an acknowledgement that ends between the fault and the end of the
    /// settling time.
    let outage: Duration
    /// The longest time without an acknowledgement after that: what the old primary's return, and
    /// whatever else went on, cost the client.
    let laterGap: Duration
    /// From the fault to the first acknowledgement by another node than before. `nil`: none came.
    let untilNewPrimary: Duration?
    /// Who acknowledged first after the fault, other than the old primary.
    let newPrimary: String?
    /// Acknowledged writes that were sent to another node when the new primary had already
    /// acknowledged one: two nodes accepting at once.
    let dualPrimaryWrites: Int

    /// - Parameters:
    ///   - acknowledgements: in their order, from before the fault on: the gap begins with the last
    ///     one before it.
    ///   - fault: when the old primary was killed, or the switchover requested.
    ///   - oldPrimary: who was primary by then.
    init(
        _ acknowledgements: [Acknowledgement], fault: ContinuousClock.Instant, oldPrimary: String
    ) {
        let first = acknowledgements.first {
            $0.acknowledgedAt > fault && $0.nodeID != oldPrimary
        }
        newPrimary = first?.nodeID
        untilNewPrimary = first.map { $0.acknowledgedAt - fault }
        let settledAt = first.map { $0.acknowledgedAt + Self.settlingTime }
        var outage = Duration.zero
        var laterGap = Duration.zero
        for (before, after) in zip(acknowledgements, acknowledgements.dropFirst())
        where after.acknowledgedAt > fault {
            let gap = after.acknowledgedAt - before.acknowledgedAt
            if let settledAt, after.acknowledgedAt > settledAt {
                laterGap = max(laterGap, gap)
            } else {
                outage = max(outage, gap)
            }
        }
        self.outage = outage
        self.laterGap = laterGap
        guard let first else {
            dualPrimaryWrites = 0
            return
        }
        dualPrimaryWrites = acknowledgements.count {
            $0.nodeID != first.nodeID && $0.sentAt > first.acknowledgedAt
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
