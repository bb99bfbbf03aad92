package import ContinuityCore

/// What the `status` command printed.
package struct StatusReading: Equatable, Sendable {
    package var role: ServiceReport.Role
    package var positionBytes: Int64?
    package var lagMs: Int64?
    package var streaming: Bool
    /// Whether a primary acknowledges a write only once another node holds it.
    package var isSynchronous: Bool?
    /// What a person should know of a service that runs. Empty when all is well.
    package var detail: String

    package init(
        role: ServiceReport.Role, positionBytes: Int64?, lagMs: Int64?, streaming: Bool,
        isSynchronous: Bool? = nil, detail: String = ""
    ) {
        self.isSynchronous = isSynchronous
        self.detail = detail
        self.role = role
        self.positionBytes = positionBytes
        self.lagMs = lagMs
        self.streaming = streaming
        self.isSynchronous = isSynchronous
    }
}

/// One round of looking at the service.
package struct ProbeOutcome: Equatable, Sendable {
    /// The first thing that is wrong; `nil` when every probe succeeded.
    package var failure: String?
    /// What `status` said, if it said anything.
    package var reading: StatusReading?

    package init(failure: String?, reading: StatusReading?) {
        self.failure = failure
        self.reading = reading
    }
}

/// Turns what was seen of processes and probes into the service's report.
package struct ServiceTracker: Sendable {
    /// A single failed probe proves little: a full accept queue, a slow fork.
    package static let failuresUntilFailing = 2

    package private(set) var report: ServiceReport
    /// What it was last seen as, also once it is stopped.
    package private(set) var lastRole = ServiceReport.Role.unknown
    private var failuresInRow = 0
    /// When it was last asked and had applied everything, as the same server.
    private var caughtUpAt: BootInstant?

    /// - Parameter mayBePrimary: an agent before this one held a lease for it, and nobody has
    ///   looked since: until a look says otherwise it counts as primary.
    package init(mayBePrimary: Bool = false) {
        report = ServiceReport(state: .unknown, role: mayBePrimary ? .primary : .unknown)
        lastRole = report.role
    }

    /// Of a witness: there is nothing to look at, ever.
    package static var withoutService: ServiceTracker {
        var tracker = ServiceTracker()
        tracker.report.detail = "a witness has no service"
        return tracker
    }

    /// No process of the service is alive. What it was last seen at is kept: it is where this
    /// copy of the data ends.
    package mutating func stopped(detail: String) {
        failuresInRow = 0
        caughtUpAt = nil
        report.state = .stopped
        report.role = .unknown
        report.lagMs = nil
        report.isSynchronous = nil
        report.streaming = false
        report.detail = detail
    }

    /// The main process is gone, others of the service are not: they may still write.
    package mutating func lingering(detail: String) {
        failuresInRow = 0
        caughtUpAt = nil
        report.state = .failing
        report.streaming = false
        report.detail = detail
    }

    /// - Parameters:
    ///   - askedAt: when the probes began.
    ///   - now: when they had ended.
    package mutating func probed(
        _ outcome: ProbeOutcome, askedAt: BootInstant, at now: BootInstant
    ) {
        if let reading = outcome.reading {
            report.take(reading)
            boundLag(askedAt: askedAt, at: now)
        }
        if report.role != .unknown { lastRole = report.role }
        guard let failure = outcome.failure else {
            failuresInRow = 0
            report.state = .running
            report.detail = outcome.reading?.detail ?? ""
            return
        }
        failuresInRow += 1
        // A service that was stopped a moment ago lives again: it cannot stay `stopped`.
        if failuresInRow >= Self.failuresUntilFailing || report.state == .stopped {
            report.state = .failing
            report.detail = failure
        }
    }

    /// Who had applied everything a moment ago is no further behind than that moment. A service
    /// knows the time of the last change that it applied, which after a quiet time is long ago.
    private mutating func boundLag(askedAt: BootInstant, at now: BootInstant) {
        guard report.role == .secondary, let lagMs = report.lagMs else {
            caughtUpAt = nil
            return
        }
        if lagMs == 0 {
            caughtUpAt = max(askedAt, caughtUpAt ?? askedAt)
        } else if let caughtUpAt {
            report.lagMs = min(lagMs, max(0, now - caughtUpAt))
        }
    }

    /// The position that the service reports after it was stopped.
    package mutating func finalPosition(_ bytes: Int64) { report.positionBytes = bytes }

    /// Whether the service may be accepting writes as primary.
    package var isPrimary: Bool { report.role == .primary && report.state != .stopped }
}

extension ServiceReport {
    /// A running service that does not tell its position has none: what it told before, perhaps
    /// as another server on the same data, may be less than it holds now.
    package mutating func take(_ reading: StatusReading) {
        // A program that cannot tell says nothing against what it told before: a primary stays one
        // until it is seen as a secondary, or stopped.
        if reading.role != .unknown { role = reading.role }
        positionBytes = reading.positionBytes
        lagMs = reading.lagMs
        streaming = reading.streaming
        isSynchronous = reading.isSynchronous
    }
}
