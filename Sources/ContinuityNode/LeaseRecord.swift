/// What the lease file says: the lease as a restarted agent and an orphaned guard find it.
package struct LeaseRecord: Equatable, Sendable {
    /// Until when the service may be primary; `nil`: it was seen not to be one.
    package var until: BootInstant?
    /// The length of the last grant, in milliseconds.
    package var durationMs: Int64
    /// The agent whose guard watches over the lease.
    package var guardedBy: String

    package init(until: BootInstant?, durationMs: Int64 = 0, guardedBy: String) {
        self.until = until
        self.durationMs = durationMs
        self.guardedBy = guardedBy
    }
}

/// What an agent that starts finds of the lease of the one before it.
package enum InheritedLease: Equatable, Sendable {
    /// No agent with this state file ever held a lease.
    case never
    /// There was one, and the service was seen not to be primary afterwards.
    case released
    /// May have ended long ago.
    case held(until: BootInstant, durationMs: Int64)
}
