package import ContinuityCore
import GRDB

/// Reading for others, who wait without a thread: SQLite's own queues are read on.
extension JournalStore {
    /// Up to `limit` entries with a higher `seq`, in order.
    package func read(after seq: Int64, limit: Int) async throws -> [JournalEntry] {
        try await reading { try Self.entries($0, after: seq, limit: limit) }
    }

    /// The entries that fit, in order.
    package func read(_ query: JournalQuery) async throws -> [JournalEntry] {
        try await reading { try Self.entries($0, query) }
    }

    /// The newest entry of a kind whose body holds the text; `nil`: there is none.
    package func readLast(kind: String, containing text: String) async throws -> JournalEntry? {
        try await reading { try Self.last($0, kind: kind, containing: text) }
    }

    private func reading<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do {
            return try await database.read(body)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Self.error(path, error)
        }
    }
}
