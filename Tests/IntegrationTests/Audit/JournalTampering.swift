import ContinuityCore
import ContinuityCrypto
import Foundation
import GRDB

/// What somebody with the file in their hands can do to a journal.
enum JournalTampering {
    static let digest = ContentDigest { SHA256.digest($0) }

    /// Runs SQL on the file, past the triggers, and leaves the schema as it was.
    static func execute(_ file: String, _ body: (Database) throws -> Void) throws {
        let queue = try DatabaseQueue(path: file)
        try queue.writeWithoutTransaction { db in
            let triggers = try String.fetchAll(
                db, sql: "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid")
            try db.execute(sql: "DROP TRIGGER journal_no_update; DROP TRIGGER journal_no_delete")
            try body(db)
            for trigger in triggers { try db.execute(sql: trigger) }
            try db.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
        }
        try queue.close()
    }

    static func entries(_ file: String) throws -> [JournalEntry] {
        let queue = try DatabaseQueue(path: file)
        defer { try? queue.close() }
        return try queue.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM journal ORDER BY seq").map { row in
                JournalEntry(
                    seq: row["seq"], epoch: row["epoch"], atMs: row["at_ms"], actor: row["actor"],
                    clusterID: (row["cluster_id"] as String?).map { ClusterID($0) },
                    kind: row["kind"], body: [UInt8](row["body"] as Data),
                    bodySHA256: row["body_sha256"], prev: row["prev"], hash: row["hash"])
            }
        }
    }

    static func replace(_ file: String, with entries: [JournalEntry]) throws {
        try execute(file) { db in
            try db.execute(sql: "DELETE FROM journal")
            for entry in entries {
                try db.execute(
                    sql: "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    arguments: [
                        entry.seq, entry.epoch, entry.atMs, entry.actor, entry.clusterID?.rawValue,
                        entry.kind, Data(entry.body), entry.bodySHA256, entry.prev, entry.hash,
                    ])
            }
        }
    }

    /// The entries and a checkpoint of the last one.
    static func signed(
        _ entries: [JournalEntry], key: Ed25519.PrivateKey
    ) throws -> [JournalEntry] {
        guard let last = entries.last else { return [] }
        let head = JournalHead(seq: last.seq, hash: last.hash)
        let body = JournalBody.checkpointSigned(
            Checkpoint(
                seq: head.seq, hash: head.hash, keyID: key.publicKey.id,
                signature: hexString(key.sign(Checkpoint.message(head)))))
        return entries + [
            JournalEntry(
                after: head, epoch: last.epoch, atMs: last.atMs, actor: "continuity",
                clusterID: nil, kind: body.kind, body: body.bytes(), digest: digest)
        ]
    }

    /// The bodies as a version wrote them that bound each as a whole; the chain is to be made anew.
    static func ofEarlierFormat(_ entries: [JournalEntry]) -> [JournalEntry] {
        entries.map { entry in
            var entry = entry
            let text = String(decoding: entry.body, as: UTF8.self)
            entry.body = Array(
                text.replacing(#/^\{"_commit":\{"salt":"[0-9a-f]+"\},/#, with: "{")
                    .replacing(#"{"body_format":2,"#, with: "{").utf8)
            entry.bodySHA256 = digest.hex(entry.body)
            return entry
        }
    }

    /// The whole chain anew, with what `change` makes of each entry: what a keeper who knows the
    /// format would write. Checkpoints are signed again with the key, where it is at hand.
    static func rewritten(
        _ entries: [JournalEntry], key: Ed25519.PrivateKey?,
        _ change: (inout JournalEntry) -> Void
    ) -> [JournalEntry] {
        var head = JournalHead.empty
        return entries.map { old in
            var entry = old
            change(&entry)
            if let key, entry.kind == "checkpoint_signed" {
                entry.body = JournalBody.checkpointSigned(
                    Checkpoint(
                        seq: head.seq, hash: head.hash, keyID: key.publicKey.id,
                        signature: hexString(key.sign(Checkpoint.message(head))))
                ).bytes()
            }
            var new = JournalEntry(
                after: head, epoch: entry.epoch, atMs: entry.atMs, actor: entry.actor,
                clusterID: entry.clusterID, kind: entry.kind, body: entry.body, digest: digest)
            if entry.body == old.body {
                new.bodySHA256 = old.bodySHA256
                new.hash = new.computedHash(digest: digest)
            }
            head = JournalHead(seq: new.seq, hash: new.hash)
            return new
        }
    }
}
