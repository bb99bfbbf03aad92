package import ContinuityCore
import Foundation
import GRDB

/// A body that stands in the place of the original one, and the entry that says so.
package struct RedactedBody: Sendable {
    package let seq: Int64
    package let body: [UInt8]
    package let entry: JournalEntry

    package init(seq: Int64, body: [UInt8], entry: JournalEntry) {
        self.seq = seq
        self.body = body
        self.entry = entry
    }
}

extension JournalStore {
    /// Replaces bodies and appends the entries that explain it, in one transaction, and leaves
    /// nothing of the old bodies in the file.
    package func redact(_ redactions: [RedactedBody]) throws(StoreError) {
        do {
            try database.writeWithoutTransaction { db in
                // Freed space is filled with zeros.
                try db.execute(sql: "PRAGMA secure_delete = ON")
                try db.inTransaction {
                    let triggers = Self.schema.filter { $0.contains("journal_no_update") }
                    try db.execute(sql: "DROP TRIGGER journal_no_update")
                    for redaction in redactions {
                        try db.execute(
                            sql: "UPDATE journal SET body = ? WHERE seq = ?",
                            arguments: [Data(redaction.body), redaction.seq])
                    }
                    for trigger in triggers { try db.execute(sql: trigger) }
                    try Self.insert(redactions.map(\.entry), db)
                    return .commit
                }
                _ = try db.checkpoint(.truncate)
            }
        } catch {
            throw Self.error(path, error)
        }
    }
}
