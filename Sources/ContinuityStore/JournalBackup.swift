package import ContinuityCore
import Foundation
import GRDB
import Glibc

extension JournalStore {
    /// Copies the journal as it is at one moment, also while `serve` appends, checks the copy, and
    /// only then puts it in the place of an earlier one.
    ///
    /// - Returns: where the copy ends.
    /// - Throws: ``StoreError``; an earlier copy is untouched then.
    @discardableResult
    package func backUp(to file: String, digest: ContentDigest) throws(StoreError) -> JournalHead {
        let partial = file + ".partial"
        Self.remove(partial)
        defer { Self.remove(partial) }
        do {
            Self.makeFile(partial)
            let copy = try DatabaseQueue(path: partial)
            try database.backup(to: copy)
            // One file, without a log beside it.
            try copy.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            try copy.close()
        } catch {
            throw Self.error(file, error)
        }
        let head = try JournalStore.read(path: partial).verify(digest: digest)
        try Self.publish(partial, as: file)
        return head
    }

    static func remove(_ file: String) {
        for suffix in ["", "-wal", "-shm", "-journal", ".lock"] {
            try? FileManager.default.removeItem(atPath: file + suffix)
        }
    }

    /// Makes a finished file durable under its name.
    static func publish(_ partial: String, as file: String) throws(StoreError) {
        let descriptor = Glibc.open(partial, O_RDWR | O_CLOEXEC)
        defer { if descriptor >= 0 { Glibc.close(descriptor) } }
        guard descriptor >= 0, fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0,
            rename(partial, file) == 0
        else {
            throw StoreError(
                file: file, message: "cannot be written: \(String(cString: strerror(errno)))",
                remedy: "check that its folder may be written to and has room")
        }
        let folder = Glibc.open(
            URL(fileURLWithPath: file).deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY)
        guard folder >= 0 else { return }
        fsync(folder)
        Glibc.close(folder)
    }
}

/// Puts a journal together from a backup and what a damaged file still proves.
package enum JournalRestore {
    package struct Result: Sendable {
        package let head: JournalHead
        package let backupSeq: Int64
        /// Entries after the backup's end that the damaged file still had, and that extend it.
        package let salvaged: Int64
        /// Where the file that was replaced stands now; `nil`: there was none.
        package let keptAs: String?
    }

    /// Replaces `journal` by the backup, extended by the entries of `journal` that follow it and
    /// are whole. The old file is kept beside it.
    ///
    /// - Parameter acceptLoss: whether entries that the damaged file had may be missing afterwards.
    /// - Throws: ``StoreError`` when either file cannot be used, `serve` runs, or entries would be
    ///   lost that the caller does not want to lose.
    package static func restore(
        journal: String, from backup: String, digest: ContentDigest, acceptLoss: Bool
    ) throws(StoreError) -> Result {
        let lock = try JournalFileLock(journal: journal)
        defer { withExtendedLifetime(lock) {} }
        let source = try JournalStore.read(path: backup)
        let backupHead = try source.verify(digest: digest)
        let partial = journal + ".restored"
        JournalStore.remove(partial)
        try source.backUp(to: partial, digest: digest)
        let exists = FileManager.default.fileExists(atPath: journal)
        let found = exists ? salvage(journal, after: backupHead.seq) : ([], nil)
        let tail = chained(found.0, after: backupHead, digest: digest)
        if exists, !acceptLoss {
            guard let last = found.1, last <= backupHead.seq + Int64(tail.count) else {
                JournalStore.remove(partial)
                throw StoreError(
                    file: journal,
                    message: "is damaged after the end of its backup (entry \(backupHead.seq)); "
                        + "entries after \(backupHead.seq + Int64(tail.count)) would be lost",
                    remedy: "look for a newer backup, or accept the loss: continuity restore "
                        + "--from \(backup) --journal \(journal) --accept-loss",
                    isDamage: true)
            }
        }
        if !tail.isEmpty || acceptLoss {
            let store = try JournalStore.open(path: partial)
            try store.append(tail)
            if acceptLoss {
                try store.append([
                    try noteOfLoss(
                        in: store, backupHead, salvaged: Int64(tail.count), digest: digest)
                ])
            }
            try store.close()
        }
        let head = try JournalStore.read(path: partial).verify(digest: digest)
        let keptAs = exists ? try setAside(journal) : nil
        try JournalStore.publish(partial, as: journal)
        JournalStore.remove(partial)
        return Result(
            head: head, backupSeq: backupHead.seq, salvaged: Int64(tail.count), keptAs: keptAs)
    }

    /// So that the next leadership knows that others may have become primary meanwhile.
    private static func noteOfLoss(
        in store: JournalStore, _ backup: JournalHead, salvaged: Int64, digest: ContentDigest
    ) throws(StoreError) -> JournalEntry {
        let last = try store.entries(after: backup.seq + salvaged - 1, limit: 1).last
        let body = JournalBody.journalRestored(
            JournalRestored(
                damage: "restored by hand, with --accept-loss", backupSeq: backup.seq,
                salvaged: salvaged, mayLackEntries: true))
        return JournalEntry(
            after: last.map { JournalHead(seq: $0.seq, hash: $0.hash) } ?? backup,
            epoch: last?.epoch ?? 0, atMs: Int64(Date().timeIntervalSince1970 * 1000),
            actor: "continuity", clusterID: nil, kind: body.kind, body: body.bytes(),
            digest: digest)
    }

    /// What the file still shows after an entry, in order, and the number of its last entry; `nil`
    /// where not even that can be read.
    private static func salvage(
        _ journal: String, after seq: Int64
    ) -> (entries: [JournalEntry], last: Int64?) {
        guard let store = try? JournalStore.read(path: journal) else { return ([], nil) }
        let last = try? store.database.read { db in
            try Int64.fetchOne(db, sql: "SELECT max(seq) FROM journal") ?? 0
        }
        var entries: [JournalEntry] = []
        // By one: a page that cannot be read ends it, and what stood before is kept.
        while let next = try? store.entries(after: seq + Int64(entries.count), limit: 1).first {
            entries.append(next)
        }
        return (entries, last)
    }

    private static func chained(
        _ entries: [JournalEntry], after head: JournalHead, digest: ContentDigest
    ) -> [JournalEntry] {
        var hash = head.hash
        var chained: [JournalEntry] = []
        for entry in entries {
            guard entry.seq == head.seq + Int64(chained.count) + 1, entry.prev == hash,
                entry.computedHash(digest: digest) == entry.hash,
                digest.hex(entry.body) == entry.bodySHA256
                    || BodyCommitment.parts(
                        of: entry.body, sha256: entry.bodySHA256, digest: digest) != nil
            else { break }
            hash = entry.hash
            chained.append(entry)
        }
        return chained
    }

    private static func setAside(_ journal: String) throws(StoreError) -> String {
        var number = 1
        while FileManager.default.fileExists(atPath: "\(journal).damaged-\(number)") { number += 1 }
        let kept = "\(journal).damaged-\(number)"
        for suffix in ["", "-wal", "-shm"] {
            let part = journal + suffix
            guard FileManager.default.fileExists(atPath: part) else { continue }
            guard rename(part, kept + suffix) == 0 else {
                throw StoreError(
                    file: part, message: "cannot be moved: \(String(cString: strerror(errno)))",
                    remedy: "check that its folder may be written to")
            }
        }
        return kept
    }
}
