package import ContinuityCore
import GRDB
import GRDBSQLite

/// What a chain that holds says of itself.
package struct ChainReport: Sendable {
    package var head: JournalHead
    /// Entries of which something was withheld, in order; who allowed it is not checked.
    package var redacted: [RedactedEntry]
}

/// The check of a whole journal: over SQLite's own memory, without a copy of an entry.
extension JournalStore {
    /// Checks every entry against the chain, from the first to the last, and gives each to
    /// `inspect` once it fits. One consistent view, also while `serve` appends.
    ///
    /// - Throws: ``StoreError`` naming the first entry that does not fit.
    @discardableResult
    package func verify(
        digest: ContentDigest,
        inspect: (JournalEntryView) throws(JournalFault) -> Void
    ) throws(StoreError) -> ChainReport {
        var verifier = ChainVerifier(digest: digest)
        do {
            try database.read { db in
                try Self.checkSchema(db)
                try Self.scan(db) { view in
                    try verifier.check(view)
                    try inspect(view)
                }
            }
            try verifier.finish()
        } catch let fault as JournalFault {
            throw damaged("at \(fault)")
        } catch let error as Damage {
            throw damaged(
                error.afterEntry.map { "after entry \($0): \(error.reason)" } ?? error.reason)
        } catch {
            throw Self.error(path, error)
        }
        return ChainReport(head: verifier.head, redacted: verifier.redacted)
    }

    /// The same, with a copy of each entry: slower, for those who fold the journal.
    @discardableResult
    package func verify(
        digest: ContentDigest, _ body: (JournalEntry) throws(JournalFault) -> Void = { _ in }
    ) throws(StoreError) -> JournalHead {
        try verify(digest: digest, inspect: { view throws(JournalFault) in try body(view.entry) })
            .head
    }

    /// What is wrong with the file below the entries.
    struct Damage: Error {
        let afterEntry: Int64?
        let reason: String
    }

    private func damaged(_ place: String) -> StoreError {
        StoreError(
            file: path, message: "the journal is damaged \(place)",
            remedy: "keep the file as evidence and restore a backup (continuity restore)",
            isDamage: true)
    }

    /// Somebody who takes the triggers away prepares to rewrite.
    private static func checkSchema(_ db: Database) throws {
        let found = try String.fetchAll(db, sql: "SELECT sql FROM sqlite_master")
        guard found.map(normalized).sorted() == schema.map(normalized).sorted() else {
            throw Damage(
                afterEntry: nil,
                reason: "in its schema: table or triggers are not those of a journal")
        }
    }

    private static func normalized(_ sql: String) -> String {
        sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    static func scan(_ db: Database, _ body: (JournalEntryView) throws -> Void) throws {
        let statement = try db.makeStatement(
            sql: """
                SELECT seq, epoch, at_ms, actor, cluster_id, kind, body, body_sha256, prev, hash
                FROM journal ORDER BY seq
                """)
        let handle = statement.sqliteStatement
        var last: Int64 = 0
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW:
                let view = try view(handle, after: last)
                try body(view)
                last = view.seq
            case SQLITE_DONE: return
            case let code:
                throw Damage(afterEntry: last, reason: String(cString: sqlite3_errstr(code)))
            }
        }
    }

    private static func view(_ row: SQLiteStatement, after last: Int64) throws -> JournalEntryView {
        func typed(_ column: Int32, _ type: Int32) throws {
            guard sqlite3_column_type(row, column) == type else {
                throw Damage(
                    afterEntry: last,
                    reason: "the column \(String(cString: sqlite3_column_name(row, column))) "
                        + "of the next entry has the wrong type")
            }
        }
        func int(_ column: Int32) throws -> Int64 {
            try typed(column, SQLITE_INTEGER)
            return sqlite3_column_int64(row, column)
        }
        func bytes(_ column: Int32) -> JournalEntryView.Text {
            // The pointer first: it may convert, and the length is that of the result.
            let start = sqlite3_column_blob(row, column)
            let count = Int(sqlite3_column_bytes(row, column))
            return .init(start: start?.assumingMemoryBound(to: UInt8.self), count: count)
        }
        func text(_ column: Int32) throws -> JournalEntryView.Text {
            try typed(column, SQLITE_TEXT)
            return bytes(column)
        }
        let hasCluster = sqlite3_column_type(row, 4) != SQLITE_NULL
        // The header does not tell an absent cluster from one without a name: nobody writes that.
        if hasCluster, try text(4).isEmpty {
            throw Damage(afterEntry: last, reason: "the cluster of the next entry has no name")
        }
        try typed(6, SQLITE_BLOB)
        return JournalEntryView(
            seq: try int(0), epoch: try int(1), atMs: try int(2), actor: try text(3),
            clusterID: hasCluster ? try text(4) : nil, kind: try text(5), body: bytes(6),
            bodySHA256: try text(7), prev: try text(8), hash: try text(9))
    }
}
