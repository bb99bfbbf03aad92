/// The lease logic of an agent, on its own machine's clock, after the rules in docs/agent.md.
struct AgentLease {
    enum Verdict: Equatable {
        case idle
        case valid
        case askPeers
        case fence
    }

    static let provisionalMs: Int64 = 10_000
    private let provisionalEndMs: Int64
    private(set) var expiresAtMs: Int64?
    private(set) var durationMs: Int64 = 0
    private(set) var isConfirmed = false
    private var isSuspended = false

    /// - Parameter rememberedEndMs: what the guard still holds of a lease of an earlier agent
    ///   process: a restart beside a running primary does not lengthen it.
    init(startedAtMs: Int64, rememberedEndMs: Int64?, lengthMs: Int64) {
        provisionalEndMs = startedAtMs + Self.provisionalMs
        guard let rememberedEndMs else { return }
        expiresAtMs = rememberedEndMs
        durationMs = lengthMs
        isConfirmed = true
    }

    mutating func grant(milliseconds: Int64, fromMs: Int64) {
        guard !isSuspended, milliseconds > 0 else { return }
        let end = fromMs + milliseconds
        if isConfirmed, let expiresAtMs, expiresAtMs >= end { return }
        expiresAtMs = end
        durationMs = milliseconds
        isConfirmed = true
    }

    mutating func suspend() {
        isSuspended = true
        forget()
    }

    mutating func resume() { isSuspended = false }

    private mutating func forget() {
        expiresAtMs = nil
        isConfirmed = false
    }

    func isValid(atMs now: Int64) -> Bool {
        guard isConfirmed, let expiresAtMs else { return false }
        return now < expiresAtMs
    }

    func remainingMs(atMs now: Int64) -> Int64 {
        guard isConfirmed, let expiresAtMs else { return 0 }
        return max(0, expiresAtMs - now)
    }

    mutating func check(isPrimary: Bool, graceMs: Int64, nowMs: Int64) -> Verdict {
        guard isPrimary else {
            if let expiresAtMs, expiresAtMs <= nowMs { forget() }
            return .idle
        }
        guard !isSuspended else { return .idle }
        guard let expiresAtMs else {
            self.expiresAtMs = max(provisionalEndMs, nowMs + graceMs)
            return .valid
        }
        guard nowMs < expiresAtMs else { return .fence }
        guard isConfirmed, (expiresAtMs - nowMs) * 2 < durationMs else { return .valid }
        return .askPeers
    }

    func nextCheckMs(after now: Int64) -> Int64? {
        guard let expiresAtMs else { return nil }
        let half = expiresAtMs - durationMs / 2
        return isConfirmed && half > now ? half : expiresAtMs
    }
}
