import ContinuityCore
import ContinuityStore

/// The journal as the driver needs it.
///
/// What blocks is called on the driver's own thread alone. What reads for others waits for the
/// disk without a thread of Swift's cooperative pool.
protocol Journal: Sendable {
    /// Appends all of it or nothing, durable when it returns. Blocks.
    func append(_ entries: [JournalEntry]) throws(StoreError)
    /// The state that the journal's entries come to, each checked. Blocks.
    func fold() throws -> OrchestratorState

    func read(after seq: Int64, limit: Int) async throws -> [JournalEntry]
    func read(_ query: JournalQuery) async throws -> [JournalEntry]
    func readLast(kind: String, containing text: String) async throws -> JournalEntry?
}

extension JournalStore: Journal {
    func fold() throws -> OrchestratorState { try JournalRecovery.fold(self) }
}
