/// What is known of a node by hearing, not by the journal. It is lost with the process and
/// gathered anew, within one window, by the next.
struct Observation: Hashable, Sendable {
    var report: NodeReport?
    var heardAtMs: Int64?
    /// Good reports in a row.
    var goodReports: Int64 = 0
    var failingSinceMs: Int64?
    var notStreamingSinceMs: Int64?
    /// Until when the node may act on a lease of ours or of an earlier leader.
    var leaseUntilMs: Int64
    var upkeepNotBeforeMs: Int64 = 0
    var upkeepFailures: Int = 0

    mutating func hear(_ report: NodeReport, atMs: Int64) {
        let isGood = report.service.state == .running
        goodReports = isGood ? goodReports + 1 : 0
        failingSinceMs = report.service.state == .failing ? failingSinceMs ?? atMs : nil
        notStreamingSinceMs =
            isGood && !report.service.streaming ? notStreamingSinceMs ?? atMs : nil
        self.report = report
        heardAtMs = atMs
    }

    /// Whether a report is out of date: a lower sequence of the same boot.
    func isStale(_ report: NodeReport) -> Bool {
        guard let last = self.report, last.bootID == report.bootID else { return false }
        return report.sequence <= last.sequence
    }
}

/// What is known by hearing of one cluster.
struct ClusterObservation: Sendable {
    var nodes: [NodeID: Observation] = [:]
    /// Since when this process listens, or trusts itself again after a stall.
    var observingSinceMs: Int64
    var runDeadlineMs: Int64?
    var drillDeadlineMs: Int64?
    var nextRunNotBeforeMs: Int64 = 0
    /// Since when the primary is suspected without being confirmed as failed.
    var suspectedSinceMs: Int64?
    /// Hooks to be called again after a start, once their context is known again.
    var deferredHooks: [Operation] = []
    /// Since when the present primary is healthy: nobody can stream before.
    var primaryWell: (node: NodeID, sinceMs: Int64)?
    /// When the last run ended: what was reported before tells nothing of its effect.
    var settledAtMs: Int64?
}
