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

extension LeaseRecord {
    /// Names the clock that `until` is of.
    package static let clock = "raw"
    /// No policy grants longer ones.
    package static let durationRangeMs: ClosedRange<Int64> = 1...86_400_000

    /// What a lease file's line means to an agent that starts now, and whose guard watched over it.
    ///
    /// A lease has ended when its end cannot be true: further away than its length, of another boot
    /// of the kernel, or of one that cannot be named.
    ///
    /// - Parameter slewedNow: what the clock of older agents shows now.
    /// - Returns: `nil` when it is no such line.
    package static func inherited(
        from line: String, kernelBootID: String, now: BootInstant, slewedNow: BootInstant? = nil
    ) -> (lease: InheritedLease, formerGuard: String)? {
        let fields = line.split(whereSeparator: \.isWhitespace).map(String.init)
        guard !fields.isEmpty else { return (.never, "-") }
        guard fields.count >= 7, fields[0] == "continuity-lease", fields[1] == "1",
            var until = Int64(fields[3]), let durationMs = Int64(fields[6])
        else { return nil }
        guard fields[4] == "held" else { return (.released, fields[5]) }
        // An older agent kept it on a clock that is slewed.
        if fields.count < 8 || fields[7] != Self.clock, until >= 0 {
            until += now - (slewedNow ?? now)
        }
        let isTrue =
            KernelBoot.isSame(fields[2], kernelBootID) && until >= 0
            && durationRangeMs.contains(durationMs) && until - now.milliseconds <= durationMs
        return (
            .held(
                until: isTrue ? BootInstant(milliseconds: until) : now,
                durationMs: durationRangeMs.contains(durationMs) ? durationMs : 0), fields[5]
        )
    }

    package func line(kernelBootID: String) -> String {
        "continuity-lease 1 \(kernelBootID) \(until?.milliseconds ?? 0) "
            + "\(until == nil ? "released" : "held") \(guardedBy) \(durationMs) \(Self.clock)"
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
