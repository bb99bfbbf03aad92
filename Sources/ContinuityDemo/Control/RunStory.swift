import ContinuityCore

/// The facts of one run, gathered from the journal.
struct RunStory: Sendable {
    let runID: RunID
    let plan: Plan
    private(set) var fenceProof: FenceProof?
    private(set) var verification: Verification?
    private(set) var end: RunFinished?
    /// Alerts that belong to the run, and those of them that were delivered.
    private(set) var alerts: Set<AlertID> = []
    private(set) var delivered: Set<AlertID> = []
    private(set) var dead: Set<AlertID> = []

    /// The run that was requested after an entry, or the one with the given id.
    init?(in entries: [ControlClient.Entry], after seq: Int64, runID: String? = nil) {
        var request: RunRequested?
        for entry in entries where entry.seq > seq {
            guard case .runRequested(let body) = entry.body else { continue }
            if let runID, body.runID.rawValue != runID { continue }
            request = body
            break
        }
        guard let request else { return nil }
        self.runID = request.runID
        plan = request.plan
        for entry in entries where entry.seq > seq { take(entry.body) }
    }

    private mutating func take(_ body: JournalBody) {
        switch body {
        case .fenceProven(let fence) where fence.runID == runID: fenceProof = fence.proof
        case .runVerified(let verified) where verified.runID == runID:
            verification = verified.verification
        case .runFinished(let finished) where finished.runID == runID: end = finished
        case .alertQueued(let queued) where isOwn(queued.alert): alerts.insert(queued.alert.alertID)
        case .alertDelivered(let alert): delivered.insert(alert.alertID)
        case .alertDead(let alert): dead.insert(alert.alertID)
        default: break
        }
    }

    private func isOwn(_ alert: Alert) -> Bool {
        alert.subject == runID.rawValue || alert.data["run_id"]?.string == runID.rawValue
    }

    /// Alerts of the run that are still on their way.
    var undelivered: Set<AlertID> { alerts.subtracting(delivered) }
}
