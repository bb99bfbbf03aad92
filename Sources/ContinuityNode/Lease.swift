import ContinuityCore

/// The right of a primary to go on being one, on the boot clock. Decides; never acts.
///
/// Three rules keep at most one primary:
/// - A granted lease counts from the moment the report that earned it was *sent*.
/// - A primary whose lease ran out is to be fenced, again and again until it is no primary.
/// - A restarted agent goes on with the lease of the one before it, and fences at once when that
///   has run out meanwhile.
/// - Only where no agent ever held a lease, a primary is given a short *provisional* time: an agent
///   that is put beside a running primary must not stop it before it could ask. That time never
///   makes `/primary` answer 200.
package struct Lease: Sendable {
    package enum Verdict: Equatable, Sendable {
        /// Nothing to guard: the service is no primary.
        case idle
        /// Look again at this instant at the latest.
        case valid(until: BootInstant)
        /// Valid, but less than half remains without a renewal: ask the other voters.
        case askPeers(until: BootInstant)
        case fence(reason: String)
        /// It would have to be fenced, but no agent ever held a lease here and this one found it
        /// running as primary: a mistake of the agent's set-up must not stop a healthy service.
        case leave(reason: String)
    }

    /// How long after the agent's start a primary without a lease is left alone, in milliseconds.
    package static let provisionalMs: Int64 = 10_000

    private let provisionalEnd: BootInstant
    /// Whether a lease was ever held here, by this agent or one before it.
    private var wasEverHeld: Bool
    /// Whether the first look found the service running as primary; `nil` before it.
    private var wasFoundPrimary: Bool?
    package private(set) var expiresAt: BootInstant?
    private var durationMs: Int64 = 0
    package private(set) var isConfirmed = false
    /// Set while a demote or fence is under way, so that a late renewal revives nothing.
    private var isSuspended = false
    /// Until when the service may be primary by anybody's word, also while it is being stopped:
    /// then the guard fences, whatever the agent is doing. `nil` once it is seen not to be one.
    package private(set) var heldUntil: BootInstant?

    package init(agentStartedAt: BootInstant, inherited: InheritedLease = .never) {
        wasEverHeld = inherited != .never
        switch inherited {
        case .never: provisionalEnd = agentStartedAt + Self.provisionalMs
        case .released: provisionalEnd = agentStartedAt
        case .held(let until, let durationMs):
            provisionalEnd = agentStartedAt
            expiresAt = until
            heldUntil = until
            self.durationMs = durationMs
            isConfirmed = true
        }
    }

    /// A lease from the orchestrator, or from all other voters together.
    ///
    /// - Parameter start: when the request that earned it was sent. An answer that arrives late
    ///   never shortens what a newer one gave.
    package mutating func grant(milliseconds: Int64, from start: BootInstant) {
        guard milliseconds > 0 else { return }
        let end = start + milliseconds
        wasEverHeld = true
        heldUntil = max(heldUntil ?? end, end)
        guard !isSuspended else { return }
        if isConfirmed, let expiresAt, expiresAt >= end { return }
        expiresAt = end
        durationMs = milliseconds
        isConfirmed = true
    }

    /// What the first look at the service found; later ones change nothing.
    package mutating func found(primary isPrimary: Bool) {
        if wasFoundPrimary == nil { wasFoundPrimary = isPrimary }
    }

    /// The service stands beside its first agent, which has never been granted a lease for it.
    package var isOfNobody: Bool { !wasEverHeld && wasFoundPrimary == true }

    /// This machine stood still for so long, and its clock with it: what is left of the lease is
    /// less by that.
    package mutating func shorten(byMs lostMs: Int64) {
        if let end = expiresAt { expiresAt = end + -lostMs }
        if let end = heldUntil { heldUntil = end + -lostMs }
    }

    package mutating func suspend() {
        isSuspended = true
        forget()
    }

    package mutating func resume() { isSuspended = false }

    private mutating func forget() {
        expiresAt = nil
        isConfirmed = false
    }

    /// What remains of a granted lease, in milliseconds. 0 for none, and for a provisional one.
    package func remainingMs(at now: BootInstant) -> Int64 {
        guard isConfirmed, let expiresAt else { return 0 }
        return max(0, expiresAt - now)
    }

    /// The length of the last grant, for a promise of the same length. 0 before the first.
    package var lastDurationMs: Int64 { durationMs }

    /// When the service must be dead if nothing newer is heard. `nil`: there is nothing to guard.
    package func deadline(isPrimary: Bool, graceMs: Int64, now: BootInstant) -> BootInstant? {
        guard isPrimary, !isOfNobody else { return nil }
        return heldUntil ?? expiresAt ?? max(provisionalEnd, now + graceMs)
    }

    /// - Parameters:
    ///   - isSecondary: the service was seen running as a secondary, and nobody is promoting it.
    ///   - graceMs: how long a primary that appears without a lease may wait for the answer to
    ///     the report about it.
    package mutating func check(
        isPrimary: Bool, isSecondary: Bool = false, graceMs: Int64, now: BootInstant
    ) -> Verdict {
        guard isPrimary else {
            if let expiresAt, expiresAt <= now { forget() }
            if let heldUntil, heldUntil <= now || isSecondary { self.heldUntil = nil }
            return .idle
        }
        guard !isSuspended else { return .idle }
        guard let expiresAt else {
            let end = max(provisionalEnd, now + graceMs)
            self.expiresAt = end
            return .valid(until: end)
        }
        guard now < expiresAt else {
            guard isConfirmed else {
                let reason = "the service is primary and no orchestrator granted a lease for it"
                return isOfNobody ? .leave(reason: reason) : .fence(reason: reason)
            }
            return .fence(reason: "the lease ran out \(SpanText.text(ms: now - expiresAt)) ago")
        }
        guard isConfirmed, (expiresAt - now) * 2 < durationMs else {
            return .valid(until: expiresAt)
        }
        return .askPeers(until: expiresAt)
    }

    /// When `check` may next say something new.
    package func nextCheck(after now: BootInstant) -> BootInstant? {
        guard let expiresAt else { return nil }
        let half = expiresAt + (-durationMs / 2)
        return isConfirmed && half > now ? half : expiresAt
    }
}
