import ContinuityCore
import ContinuityTransport
import HTTPTypes
import Logging
import Synchronization

/// Keeps count: of requests, of failed logins, and of what was asked before.
final class AccessGate: Sendable {
    private struct State {
        var addresses: RateLimiter
        var identities: RateLimiter
        var backoff = LoginBackoff()
        /// Tokens that were good at an address lately: guesses from there do not hold them up.
        var known: Set<String> = []
        var concurrent: [String: Int] = [:]
        var concurrentInAll = 0
        var replay: ReplayGuard
    }

    private let limits: AccessLimits
    private let orchestrator: any OrchestratorPort
    private let nowMs: @Sendable () -> Int64
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameter nowMs: UTC.
    init(
        limits: AccessLimits, orchestrator: any OrchestratorPort,
        nowMs: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        self.limits = limits
        self.orchestrator = orchestrator
        self.nowMs = nowMs
        self.logger = logger
        state = Mutex(
            State(
                addresses: RateLimiter(perSecond: limits.perAddress),
                identities: RateLimiter(perSecond: limits.perIdentity),
                replay: ReplayGuard(startedAtMs: nowMs())))
    }

    // MARK: Rates

    /// - Throws: ``Problem`` when too many requests come from there.
    func admit(address: String) throws {
        let waitMs = state.withLock { $0.addresses.take(address, at: .now) }
        if let waitMs { throw Self.tooMany("this address", waitMs) }
    }

    /// - Returns: what to call when the request has been answered.
    /// - Throws: ``Problem`` when the caller asks too often, or for too much at once.
    func admit(_ caller: Caller, address: String) throws -> @Sendable () -> Void {
        // One who does not say who they are shares with the others of that address.
        // Not by credential: a person with many tokens is one person all the same.
        let key = caller.name.isEmpty ? "address \(address)" : "name \(caller.name)"
        let limits = limits
        let waitMs = state.withLock { state -> Int64? in
            if let waitMs = state.identities.take(key, at: .now) { return waitMs }
            guard state.concurrent[key, default: 0] < limits.concurrentPerIdentity,
                state.concurrentInAll < limits.concurrent
            else { return 1000 }
            state.concurrent[key, default: 0] += 1
            state.concurrentInAll += 1
            return nil
        }
        if let waitMs { throw Self.tooMany("this identity", waitMs) }
        return { [self] in
            state.withLock { state in
                state.concurrentInAll -= 1
                let left = state.concurrent[key, default: 1] - 1
                state.concurrent[key] = left > 0 ? left : nil
            }
        }
    }

    private static func tooMany(_ whose: String, _ waitMs: Int64) -> Problem {
        let seconds = max(1, (waitMs + 999) / 1000)
        return Problem(
            .tooManyRequests, "too-many-requests",
            "\(whose) asks for more than it may; try again in \(seconds) s",
            headers: [.retryAfter: "\(seconds)"])
    }

    // MARK: Logins

    private static let knownMax = 10_000

    func loggedIn(_ address: String, with shown: ShownCredential) {
        state.withLock { state in
            state.backoff.succeeded(shown.failureKey(address))
            guard case .token(let sha256) = shown else { return }
            if state.known.count >= Self.knownMax { state.known = [] }
            state.known.insert("\(sha256) \(address)")
        }
    }

    func used(_ caller: Caller, from address: String) async {
        await orchestrator.noteCredentialUsed(
            CredentialUsed(credential: caller.credential, address: address), by: caller.name)
    }

    /// - Throws: nothing of its own: the caller throws the problem.
    func loginFailed(_ address: String, _ problem: Problem, _ shown: ShownCredential) async {
        let failures = state.withLock { $0.backoff.failed(shown.failureKey(address), at: .now) }
        // Repetition is counted, not written each time: the first, then at each doubling.
        guard let failures, failures & (failures - 1) == 0 else { return }
        logger.warning(
            "a login was refused",
            metadata: [
                "address": "\(address)", "reason": "\(problem.type)", "failures": "\(failures)",
                "credential": "\(shown.name ?? "unknown")",
            ])
        await orchestrator.noteLoginRefused(
            LoginRefused(
                address: address, reason: problem.type, failures: Int64(failures),
                credential: shown.name))
    }

    /// - Throws: ``Problem`` while what is shown must wait for failures of its own kind.
    func checkBackoff(_ address: String, _ shown: ShownCredential) throws {
        guard shown.waits else { return }
        let waitMs = state.withLock { state -> Int64? in
            if case .token(let sha256) = shown, state.known.contains("\(sha256) \(address)") {
                return nil
            }
            return state.backoff.waitMs(shown.failureKey(address), at: .now)
        }
        guard let waitMs else { return }
        let seconds = max(1, (waitMs + 999) / 1000)
        throw Problem(
            .tooManyRequests, "login-backoff",
            "too many wrong tokens came from this address; try again in \(seconds) s",
            headers: [.retryAfter: "\(seconds)"])
    }

    // MARK: Replay

    /// - Throws: ``Problem`` when the request is old, was made before, or is from the future.
    func checkNew(_ headers: HTTPFields, of caller: Caller) async throws {
        let stamp = try ReplayGuard.Stamp(headers)
        // A clock that is a little ahead: its request is taken when its time has come, so that
        // nothing that was ever taken is newer than a later start.
        let aheadMs = stamp.atMs - nowMs()
        if aheadMs > 0, aheadMs <= ReplayGuard.aheadMsMax {
            try await Task.sleep(for: .milliseconds(aheadMs))
        }
        try state.withLock { state in
            try state.replay.check(stamp, of: caller.name, nowMs: nowMs())
        }
    }
}
