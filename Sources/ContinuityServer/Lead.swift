import ContinuityCore
import ContinuityStore

/// The orchestrator and who signs for it: one step is its own entries and, where one is due, a
/// checkpoint of them.
struct Lead {
    private(set) var orchestrator: Orchestrator
    private var signer: CheckpointSigner?

    init(orchestrator: Orchestrator, signer: CheckpointSigner?) {
        self.orchestrator = orchestrator
        self.signer = signer
    }

    /// One step. Its entries and the checkpoint of them are one append: all of it is durable, or
    /// nothing.
    ///
    /// - Throws: what `append` throws; this value is of no use then.
    mutating func step(
        _ input: Input, at now: Moment = SystemClock.now(),
        _ append: ([JournalEntry]) throws(StoreError) -> Void
    ) throws(StoreError) -> StepResult {
        var result = orchestrator.step(input, at: now)
        signer?.saw(result.entries, at: now)
        if let checkpoint = signer?.checkpoint(of: orchestrator.state.head, at: now) {
            result.entries += orchestrator.step(.checkpointed(checkpoint), at: now).entries
            signer?.signed()
        }
        if !result.entries.isEmpty { try append(result.entries) }
        return result
    }

    /// Signs what is not signed yet, so that a journal at rest has no unsigned end.
    ///
    /// - Throws: what `append` throws.
    mutating func signEnd(
        _ append: ([JournalEntry]) throws(StoreError) -> Void
    ) throws(StoreError) {
        let now = SystemClock.now()
        guard let checkpoint = signer?.checkpoint(of: orchestrator.state.head) else { return }
        try append(orchestrator.step(.checkpointed(checkpoint), at: now).entries)
        signer?.signed()
    }
}

/// When to try again: soon, then ever more seldom.
struct RetryAfterFailure {
    private static let firstMs: Int64 = 1000
    private static let longestMs: Int64 = 16_000
    private var pauseMs: Int64 = firstMs / 2
    private var dueMs: Int64 = 0
    private var lastFailureMs: Int64?

    mutating func failed(_ now: Moment) {
        // A new trouble begins with a short pause.
        let isNew = lastFailureMs.map { now.monotonicMs - $0 > 4 * Self.longestMs } ?? true
        pauseMs = isNew ? Self.firstMs : min(2 * pauseMs, Self.longestMs)
        lastFailureMs = now.monotonicMs
        dueMs = now.monotonicMs + pauseMs
    }

    func isDue(_ now: Moment) -> Bool { now.monotonicMs >= dueMs }
}
