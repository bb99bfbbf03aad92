import ContinuityCore
import ContinuityStore
import Foundation
import Glibc
import Testing

/// The journal survives what disks and processes do to it.
@Suite(.serialized) struct SurvivalTests {
    /// The process may write no byte beyond the first pages of any file, as on a full disk; then
    /// it may again.
    @Test func withoutRoomNothingIsDoneAndReadsGoOn() async throws {
        let fixture = try await AuditFixture()
        let serve = fixture.serve
        try await serve.start()
        try await serve.report(primary: .running)
        let before = try await serve.entries()
        let pid = try #require(serve.serve?.processID)
        try await limit(pid, "4096:unlimited")

        try await fixture.decide(1)
        let refused = try await serve.send(
            "POST", "failover", body: Array(#"{"cluster_id":"demo","reason":"x"}"#.utf8))
        #expect(refused.status == 503)
        #expect(refused.json["type"]?.string?.hasSuffix("journal-unavailable") == true)
        let status = try await serve.send("GET", "status")
        #expect(status.status == 200)
        #expect(status.json["audit"]?["suspended"]?.string?.contains("cannot be written") == true)
        // It shows nothing that is not recorded.
        #expect(try await serve.entries() == before)
        #expect(status.json["seq"] == before.last?["seq"])
        #expect(
            status.json["clusters"]?.array?.first?["nodes"]?.array?.first?["status"]?.string
                == "healthy")
        #expect(serve.serve?.isRunning == true)

        try await limit(pid, "unlimited:unlimited")
        _ = try await eventually("it goes on by itself", within: .seconds(40)) {
            try await serve.send("GET", "status").json["audit"]?["suspended"] == nil ? true : nil
        }
        try await fixture.decide(1)
        _ = try await eventually("it decides again") {
            try await serve.entries().contains { $0["kind"]?.string == "hold_changed" }
                ? true : nil
        }
        _ = try fixture.finish()
        #expect(try await fixture.verify(fixture.journal).exitCode == 0)
    }

    private func limit(_ pid: Int32, _ size: String) async throws {
        let result = try await Programs.run(
            program: "prlimit", ["--pid", "\(pid)", "--fsize=\(size)"])
        try #require(result.exitCode == 0, "\(result.errors)")
    }

    /// Whatever part of the last writes reached the disk, the journal is a beginning of what it was.
    @Test func aTornLastWriteLosesAtMostWhatWasNeverConfirmed() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(3)
        let entries = try await fixture.serve.entries()
        fixture.serve.kill()
        let log = try Data(contentsOf: URL(fileURLWithPath: fixture.journal + "-wal"))
        #expect(log.count > 20_000)
        let torn = fixture.folder + "/torn.sqlite"
        var shortest = Int.max
        for size in stride(from: log.count, to: 0, by: -997) {
            // The lock too: a process that another test forks just now may still hold it.
            for suffix in ["", "-wal", "-shm", ".lock"] {
                try? FileManager.default.removeItem(atPath: torn + suffix)
            }
            try FileManager.default.copyItem(atPath: fixture.journal, toPath: torn)
            var part = log.prefix(size)
            // The end of a torn write is often not missing, but something else.
            if size % 2 == 0 { part += Data(repeating: 0xA5, count: 500) }
            try part.write(to: URL(fileURLWithPath: torn + "-wal"))
            let store = try JournalStore.open(path: torn)
            let head = try store.verify(digest: JournalTampering.digest)
            let expected = head.seq == 0 ? nil : entries[Int(head.seq) - 1]["hash"]?.string
            if head.seq > 0 { #expect(head.hash == expected) }
            if size == log.count { #expect(head.seq == Int64(entries.count)) }
            shortest = min(shortest, Int(head.seq))
        }
        #expect(shortest < entries.count / 2)
        // And the server itself goes on from there.
        try log.prefix(log.count - 3000).write(
            to: URL(fileURLWithPath: fixture.journal + "-wal"))
        try await fixture.serve.start()
        try await fixture.decide(1)
        _ = try fixture.finish()
        #expect(try await fixture.verify(fixture.journal).exitCode == 0)
    }

    @Test func aDamagedJournalIsRestoredFromItsOwnBackup() async throws {
        let fixture = try await AuditFixture(
            audit: "checkpoint_entries: 5, backup: {file: backup.sqlite, every_s: 3600}")
        let backup = fixture.folder + "/backup.sqlite"
        try await fixture.serve.start()
        try await fixture.decide(3)
        #expect(fixture.serve.terminate() == 0)
        // Started again it backs up what the first one wrote; then it writes more.
        try await fixture.serve.start()
        _ = try await eventually("the backup has the first entries") {
            try JournalStore.read(path: backup).entries(after: 8, limit: 1).first
        }
        try await fixture.decide(3)
        let entries = try fixture.finish()
        let backedUp = try JournalTampering.entries(backup).count
        #expect(backedUp < entries.count)

        try damage(fixture, entries[3])
        try await fixture.serve.start()
        #expect(fixture.serve.log.contains("the journal is damaged at entry 4"))
        let restored = try #require(
            try await fixture.serve.entries().first {
                $0["kind"]?.string == "journal_restored"
            })
        #expect(restored["body"]?["salvaged"]?.int == Int64(entries.count - backedUp))
        let now = try fixture.finish()
        #expect(Array(now.prefix(entries.count)) == entries)
        #expect(try await fixture.verify(fixture.journal).exitCode == 0)
        #expect(FileManager.default.fileExists(atPath: fixture.journal + ".damaged-1"))
    }

    /// Where an entry would be missing afterwards a person must decide.
    @Test func aRestoreThatWouldLoseEntriesIsRefused() async throws {
        let fixture = try await AuditFixture(
            audit: "checkpoint_entries: 5, backup: {file: backup.sqlite, every_s: 3600}")
        let backup = fixture.folder + "/backup.sqlite"
        try await fixture.serve.start()
        try await fixture.decide(3)
        #expect(fixture.serve.terminate() == 0)
        try await fixture.serve.start()
        _ = try await eventually("the backup has the first entries") {
            try JournalStore.read(path: backup).entries(after: 8, limit: 1).first
        }
        try await fixture.decide(4)
        let entries = try fixture.finish()
        let backedUp = try JournalTampering.entries(backup).count
        try #require(backedUp + 2 < entries.count)
        // The last entry, and one between the backup's end and the last.
        for damaged in [entries.count - 1, backedUp + 1] {
            let original = try Data(contentsOf: URL(fileURLWithPath: fixture.journal))
            try damage(fixture, entries[damaged])
            let before = try JournalTampering.entries(fixture.journal)
            let refused = try await Programs.run("serve", "--config", fixture.serve.configFile)
            #expect(refused.exitCode == 65, "\(refused.errors)")
            #expect(
                refused.errors.contains("entries after \(damaged) would be lost"),
                "\(refused.errors)")
            #expect(refused.errors.contains("--accept-loss"))
            // The evidence stands as it was.
            #expect(try JournalTampering.entries(fixture.journal) == before)
            #expect(!FileManager.default.fileExists(atPath: fixture.journal + ".damaged-1"))
            if damaged == backedUp + 1 { break }
            try original.write(to: URL(fileURLWithPath: fixture.journal))
        }
        // Somebody decides: what still follows the backup is kept, the rest stands aside.
        let restored = try await Programs.run(
            "restore", "--from", backup, "--journal", fixture.journal, "--accept-loss")
        #expect(restored.exitCode == 0, "\(restored.errors)")
        let now = try JournalTampering.entries(fixture.journal)
        #expect(Array(now.dropLast()) == Array(entries.prefix(backedUp + 1)))
        #expect(now.last?.kind == "journal_restored", "the loss is remembered")
        #expect(FileManager.default.fileExists(atPath: fixture.journal + ".damaged-1"))
        try await fixture.serve.start()
        _ = try fixture.finish()
        #expect(try await fixture.verify(fixture.journal).exitCode == 0)
    }

    /// Changes one bit of an entry's body.
    private func damage(_ fixture: AuditFixture, _ entry: JournalEntry) throws {
        let url = URL(fileURLWithPath: fixture.journal)
        var bytes = try Data(contentsOf: url)
        let text = Data(entry.body + Array(entry.bodySHA256.utf8))
        // Where SQLite has split a page, an old copy may stand in space that says nothing.
        var count = 0
        while let place = bytes.range(of: text) {
            bytes[place.lowerBound + 2] ^= 1
            count += 1
        }
        try #require(count > 0)
        try bytes.write(to: url)
    }

    @Test func aBackupIsOneMomentWhileTheServerRuns() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        let copy = fixture.folder + "/copy.sqlite"
        var last = 0
        for _ in 1...4 {
            let copying = try Background(
                ["backup", "--journal", fixture.journal, "--output", copy],
                log: fixture.folder + "/backup.log")
            try await fixture.decide(3)
            let code = try await eventually("the copy is made") { copying.exitCode }
            #expect(code == 0)
            let count = try JournalTampering.entries(copy).count
            #expect(count >= last)
            last = count
        }
        #expect(last > 10)
        // While the server runs, nobody replaces its journal.
        let refused = try await Programs.run(
            "restore", "--from", copy, "--journal", fixture.journal)
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("in use"), "\(refused.errors)")
        let entries = try fixture.finish()
        let restored = try await Programs.run(
            "restore", "--from", copy, "--journal", fixture.journal)
        #expect(restored.exitCode == 0, "\(restored.errors)")
        #expect(try JournalTampering.entries(fixture.journal) == entries)
    }
}
