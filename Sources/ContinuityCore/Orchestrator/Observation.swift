/// What is known of a node by hearing, not by the journal. It is lost with the process and
/// gathered anew, within one window, by the next.
struct Observation: Hashable, Sendable {
    var report: NodeReport?
    var heardAtMs: Int64?
    /// What its service says of itself while it runs.
    var remark = RemarkWatch()
    /// Good reports in a row.
    var goodReports: Int64 = 0
    var failingSinceMs: Int64?
    var notStreamingSinceMs: Int64?
    /// Of which primary its data is proven not to be the beginning.
    var divergedFrom: NodeID?
    /// How often it was pointed to the primary again since it streamed last.
    var followsInVain = 0
    /// Since when its service runs as a secondary.
    private var secondarySinceMs: Int64?
    /// Since when its service runs without telling what it is.
    private var rolelessSinceMs: Int64?
    /// Since when its service is reported as stopped.
    var stoppedSinceMs: Int64?
    /// Until when the node may act on a lease of ours or of an earlier leader.
    var leaseUntilMs: Int64
    /// The agent's clock less this process's, at most: a report is read after it was sent.
    private var clockOffset: ClockOffset?
    /// An order that may make the service a primary and is not answered: until when it may be
    /// carried out, and what it gives hold. `isInherited`: an earlier process sent it too.
    var startOrder: StartOrder?
    var upkeepNotBeforeMs: Int64 = 0
    var upkeepFailures: Int = 0
    /// What the last of them was, for people.
    var upkeepTrouble: String?
    /// When its status changed lately, in milliseconds; the last few.
    var statusChangesAtMs: [Int64] = []

    struct StartOrder: Hashable, Sendable {
        var untilMs: Int64
        var isInherited: Bool
    }

    private struct ClockOffset: Hashable, Sendable {
        var ms: Int64
        var atMs: Int64
    }

    init(leaseUntilMs: Int64) { self.leaseUntilMs = leaseUntilMs }

    mutating func hear(_ report: NodeReport, atMs: Int64) {
        let isGood = report.service.state == .running
        goodReports = isGood ? goodReports + 1 : 0
        failingSinceMs = report.service.state == .failing ? failingSinceMs ?? atMs : nil
        notStreamingSinceMs =
            isGood && !report.service.streaming ? notStreamingSinceMs ?? atMs : nil
        if report.service.streaming {
            // The pause between orders that did not help is over with the trouble.
            if followsInVain > 0 { upkeepNotBeforeMs = 0 }
            (divergedFrom, followsInVain) = (nil, 0)
        }
        secondarySinceMs =
            isGood && report.service.role == .secondary ? secondarySinceMs ?? atMs : nil
        let remark = isGood ? report.service.detail : ""
        self.remark.hear(remark, atMs: atMs)
        rolelessSinceMs =
            isGood && report.service.role == .unknown ? rolelessSinceMs ?? atMs : nil
        stoppedSinceMs = report.service.state == .stopped ? stoppedSinceMs ?? atMs : nil
        if let clockMs = report.clockMs {
            let read = clockMs -| atMs
            // After a start of its machine the clock begins anew.
            let isSame = self.report?.bootID == report.bootID
            clockOffset = ClockOffset(
                ms: isSame ? max(read, offset(atMs: atMs) ?? read) : read, atMs: atMs)
        }
        self.report = report
        heardAtMs = atMs
    }

    /// A reading of the two clocks grows worse by a fiftieth of its age: each may run at a speed
    /// of its own.
    private func offset(atMs now: Int64) -> Int64? {
        clockOffset.map { $0.ms -| (now -| $0.atMs) / 50 }
    }

    /// Until when the node may be primary by what it was given, answered or not.
    var mayActUntilMs: Int64 { max(leaseUntilMs, startOrder?.untilMs ?? 0) }

    /// An earlier process may have sent the order just before this one began.
    mutating func noteInheritedStart(untilMs: Int64) {
        startOrder = StartOrder(
            untilMs: max(untilMs, startOrder?.untilMs ?? 0), isInherited: true)
    }

    mutating func noteStart(untilMs: Int64) {
        startOrder = StartOrder(
            untilMs: max(untilMs, startOrder?.untilMs ?? 0),
            isInherited: startOrder?.isInherited ?? false)
    }

    /// What came of an order that may have made the service a primary. Only one that its agent
    /// answered, or that never left, can do nothing any more.
    mutating func settleStart(_ outcome: OperationResult.Outcome, leaseMs: Int64, atMs now: Int64) {
        switch outcome {
        case .ok, .failed, .refused:
            startOrder = nil
            // Its own lease began at the latest just before it was answered.
            leaseUntilMs = max(leaseUntilMs, now +| leaseMs)
        case .unreachable:
            if startOrder?.isInherited == false { startOrder = nil }
        case .timedOut, .inDoubt: break
        }
    }

    /// For how long its service has run as a secondary.
    func secondaryMs(atMs now: Int64) -> Int64? { secondarySinceMs.map { now - $0 } }

    /// For how long its service has run without telling what it is.
    func rolelessMs(atMs now: Int64) -> Int64? { rolelessSinceMs.map { now - $0 } }

    /// What the agent's clock shows at least, at this moment of this process's clock.
    func agentClockMs(atMs now: Int64) -> Int64? { offset(atMs: now).map { $0 +| now } }

    /// This process was away: for how long something lasts is counted anew.
    mutating func distrust(atMs now: Int64) {
        if failingSinceMs != nil { failingSinceMs = now }
        remark.distrust(atMs: now)
        if notStreamingSinceMs != nil { notStreamingSinceMs = now }
        if secondarySinceMs != nil { secondarySinceMs = now }
        if rolelessSinceMs != nil { rolelessSinceMs = now }
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
    /// Since when no lease of an earlier policy can have been granted any more.
    var formerLeasesSinceMs: Int64
    /// What is done again after a start: hooks once their context is known again, and orders that
    /// make a primary once the clock is known by which they are bounded.
    var deferredOperations: [Operation] = []
    /// Orders that are asked for again, because their work goes on: from when.
    var laterOperations: [OperationKey: Int64] = [:]
    /// What the files say, where it cannot be taken yet.
    var deferredConfiguration: ClusterConfigured?
    /// Since when the present primary is healthy: nobody can stream before.
    var primaryWell: (node: NodeID, sinceMs: Int64)?
    /// When the target of the run under way became primary; `nil`: before this process began.
    var promotedAtMs: Int64?
    /// Since when no node is known to act as primary, and nothing says why; and whether people were
    /// told.
    var noPrimarySinceMs: Int64?
    var toldNoPrimary = false
    /// Whether people were told that no secondary follows the primary.
    var toldUnfollowed = false
    /// When the last run ended: what was reported before tells nothing of its effect.
    var settledAtMs: Int64?
    /// When an undone hook may be called again, by its place.
    var hookRetries: [String: Int64] = [:]
    /// The lost nodes that people were told of; `nil`: this process has not looked yet.
    var toldLost: Set<NodeID>?
    var commits = CommitWatch()

    init(observingSinceMs: Int64) {
        self.observingSinceMs = observingSinceMs
        formerLeasesSinceMs = observingSinceMs
    }
}
