package import ContinuityCore
import Foundation
import GRDB
import Glibc

/// The journal on SQLite: the embedded default.
///
/// An appended entry is durable when `append` returns (WAL with `synchronous=FULL`). The table
/// refuses updates and deletions, so that no slip of this program rewrites history; whoever can
/// write to the file can still do so, which is what the hash chain is for.
package final class JournalStore: Sendable {
    /// "CNTY": marks the file as a continuity journal.
    private static let applicationID: Int32 = 0x434E_5459
    private static let schemaVersion: Int32 = 1

    /// As SQLite keeps it, so that a change to it can be told.
    static let schema = [
        """
        CREATE TABLE journal (
            seq INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            actor TEXT NOT NULL,
            cluster_id TEXT,
            kind TEXT NOT NULL,
            body BLOB NOT NULL,
            body_sha256 TEXT NOT NULL,
            prev TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
        """,
        """
        CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
        """,
    ]

    package let path: String
    let database: any DatabaseWriter
    /// `nil` when only read.
    private let lock: JournalFileLock?

    /// Opens the journal for the one process that appends to it, and creates it where there is
    /// none.
    ///
    /// - Throws: ``StoreError`` when the file is in use, unreadable, damaged or of another kind.
    package static func open(path: String) throws(StoreError) -> JournalStore {
        try JournalStore(path: path, readOnly: false)
    }

    /// Opens an existing journal to look at, also while `serve` appends to it.
    package static func read(path: String) throws(StoreError) -> JournalStore {
        try JournalStore(path: path, readOnly: true)
    }

    private init(path: String, readOnly: Bool) throws(StoreError) {
        self.path = path
        let exists = FileManager.default.fileExists(atPath: path)
        if readOnly, !exists {
            throw StoreError(
                file: path, message: "does not exist",
                remedy: "name the journal that 'serve' was configured with")
        }
        lock = readOnly ? nil : try JournalFileLock(journal: path)
        if !readOnly, !exists { Self.makeFile(path) }
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            guard !readOnly else { return }
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        do {
            database =
                readOnly
                ? try DatabaseQueue(path: path, configuration: configuration)
                : try DatabasePool(path: path, configuration: configuration)
            if !readOnly { try database.write { try Self.migrate($0, isNew: !exists) } }
            try database.read { try Self.checkKind($0) }
        } catch let error as StoreError {
            throw error
        } catch {
            throw Self.error(path, error)
        }
    }

    /// Makes an empty file, mode 0600 whatever the umask says: SQLite alone would let others read
    /// it, and gives its log the mode of the file. Where that fails, SQLite says why.
    static func makeFile(_ path: String) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private static func migrate(_ db: Database, isNew: Bool) throws {
        let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        guard isNew || count == 0 else { return }
        for statement in schema { try db.execute(sql: statement) }
        try db.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(schemaVersion);
                """)
    }

    private static func checkKind(_ db: Database) throws {
        let id = try Int32.fetchOne(db, sql: "PRAGMA application_id")
        let version = try Int32.fetchOne(db, sql: "PRAGMA user_version")
        guard id == applicationID else {
            throw NotAJournal(reason: "is an SQLite file, but no continuity journal")
        }
        guard version == schemaVersion else {
            throw NotAJournal(reason: "has the format \(version ?? 0) of another version")
        }
    }

    private struct NotAJournal: Error { let reason: String }

    static func error(_ path: String, _ error: any Error) -> StoreError {
        if let notAJournal = error as? NotAJournal {
            return StoreError(
                file: path, message: notAJournal.reason,
                remedy: "name another file, or use the version that wrote it")
        }
        let code = (error as? DatabaseError)?.resultCode
        let reason = (error as? DatabaseError)?.message ?? "\(error)"
        return switch code {
        case .SQLITE_FULL, .SQLITE_IOERR:
            StoreError(
                file: path, message: "cannot be written: \(reason)",
                remedy: "make room on its disk, and look at the disk itself")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            StoreError(
                file: path, message: "the journal is damaged: \(reason)",
                remedy: "keep the file as evidence and restore a backup (continuity restore)",
                isDamage: true)
        default:
            StoreError(
                file: path, message: "cannot be used as a journal: \(reason)",
                remedy: "check its permissions; if it is damaged, restore it from a backup")
        }
    }

    /// Closes the file, so that the whole journal stands in it and no write-ahead log beside it.
    /// A process that is killed instead loses nothing: the log is read at the next start.
    package func close() throws(StoreError) {
        do {
            try database.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
            try database.close()
        } catch {
            throw Self.error(path, error)
        }
    }

    // MARK: Appending

    /// Appends in one transaction: all of it is durable, or nothing.
    package func append(_ entries: [JournalEntry]) throws(StoreError) {
        do {
            try database.write { db in try Self.insert(entries, db) }
        } catch {
            throw Self.error(path, error)
        }
    }

    static func insert(_ entries: [JournalEntry], _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO journal (seq, epoch, at_ms, actor, cluster_id, kind, body,
                    body_sha256, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for entry in entries {
            try statement.execute(arguments: [
                entry.seq, entry.epoch, entry.atMs, entry.actor, entry.clusterID?.rawValue,
                entry.kind, Data(entry.body), entry.bodySHA256, entry.prev, entry.hash,
            ])
        }
    }

    // MARK: Reading

    /// Up to `limit` entries with a higher `seq`, in order.
    package func entries(after seq: Int64, limit: Int) throws(StoreError) -> [JournalEntry] {
        do {
            return try database.read { try Self.entries($0, after: seq, limit: limit) }
        } catch {
            throw Self.error(path, error)
        }
    }

    static func entries(_ db: Database, after seq: Int64, limit: Int) throws -> [JournalEntry] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
            arguments: [seq, limit]
        ).map(Self.entry)
    }

    /// The entries that fit, in order.
    package func entries(_ query: JournalQuery) throws(StoreError) -> [JournalEntry] {
        do {
            return try database.read { try Self.entries($0, query) }
        } catch {
            throw Self.error(path, error)
        }
    }

    static func entries(_ db: Database, _ query: JournalQuery) throws -> [JournalEntry] {
        var conditions = ["seq > ?"]
        var arguments: StatementArguments = [query.after]
        if let kind = query.kind {
            conditions.append("kind = ?")
            arguments += [kind]
        }
        if !query.clusters.isEmpty {
            let places = Array(repeating: "?", count: query.clusters.count)
            conditions.append("cluster_id IN (\(places.joined(separator: ", ")))")
            arguments += StatementArguments(query.clusters.map(\.rawValue).sorted())
        }
        arguments += [query.limit]
        let sql = """
            SELECT * FROM journal WHERE \(conditions.joined(separator: " AND "))
            ORDER BY seq \(query.isNewest ? "DESC" : "ASC") LIMIT ?
            """
        let entries = try Row.fetchAll(db, sql: sql, arguments: arguments).map(Self.entry)
        return query.isNewest ? entries.reversed() : entries
    }

    /// The newest entry of a kind whose body holds the text; `nil`: there is none. It looks through
    /// the entries of all kinds, without reading those of another.
    package func last(kind: String, containing text: String) throws(StoreError) -> JournalEntry? {
        do {
            return try database.read { try Self.last($0, kind: kind, containing: text) }
        } catch {
            throw Self.error(path, error)
        }
    }

    static func last(
        _ db: Database, kind: String, containing text: String
    ) throws -> JournalEntry? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT * FROM journal WHERE kind = ? AND instr(body, CAST(? AS BLOB)) > 0
                ORDER BY seq DESC LIMIT 1
                """,
            arguments: [kind, text]
        ).map(Self.entry)
    }

    private static func entry(_ row: Row) throws -> JournalEntry {
        JournalEntry(
            seq: row["seq"], epoch: row["epoch"], atMs: row["at_ms"], actor: row["actor"],
            clusterID: (row["cluster_id"] as String?).map { ClusterID($0) }, kind: row["kind"],
            body: [UInt8](row["body"] as Data), bodySHA256: row["body_sha256"],
            prev: row["prev"], hash: row["hash"])
    }
}
