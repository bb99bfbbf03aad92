import ContinuityAudit
import ContinuityCore
import ContinuityCrypto
import ContinuityStore
import Foundation
import Testing

/// Everything that can be done to the journal file of a real `serve` is found, and where it is.
@Suite(.serialized) struct TamperTests {
    private func copy(_ file: String, _ name: String, of fixture: AuditFixture) throws -> String {
        let copy = fixture.folder + "/" + name
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: file, toPath: copy)
        return copy
    }

    @Test func theKeyIsMadeOnceAndIsItsOwnersAlone() async throws {
        let fixture = try await AuditFixture()
        let attributes = try FileManager.default.attributesOfItem(atPath: fixture.key)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        let before = try String(contentsOfFile: fixture.key, encoding: .utf8)
        let again = try await Programs.run("audit", "key", "init", "--key", fixture.key)
        #expect(again.exitCode == 0)
        #expect(try String(contentsOfFile: fixture.key, encoding: .utf8) == before)
        #expect(
            try again.output == String(contentsOfFile: fixture.key + ".pub", encoding: .utf8))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: fixture.key)
        let refused = try await Programs.run("serve", "--config", fixture.serve.configFile)
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("can be read by others"), "\(refused.errors)")
    }

    @Test func entriesRemovedInsertedReorderedAndCutAreLocated() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(12)
        let entries = try fixture.finish()
        let checkpoints = try fixture.checkpoints(entries)
        #expect(entries.count > 40 && checkpoints.count > 5)
        try fixture.writeWitness(checkpoints)
        let good = try await fixture.verify(fixture.journal, witness: true)
        #expect(good.exitCode == 0, "\(good.errors)")

        func expect(
            _ what: String, at seq: Int64, witness: Bool = false,
            _ change: ([JournalEntry]) throws -> [JournalEntry]
        ) async throws {
            let file = try copy(fixture.journal, "tampered.sqlite", of: fixture)
            try JournalTampering.replace(file, with: change(entries))
            let result = try await fixture.verify(file, witness: witness)
            #expect(result.exitCode == 65, "\(what)")
            #expect(result.errors.contains("at entry \(seq):"), "\(what): \(result.errors)")
        }
        try await expect("removed", at: 18) { $0.filter { $0.seq != 17 } }
        try await expect("inserted", at: 19) { entries in
            var changed = entries.map { entry in
                var entry = entry
                if entry.seq > 17 { entry.seq += 1 }
                return entry
            }
            let head = JournalHead(seq: 17, hash: entries[16].hash)
            changed.insert(
                JournalEntry(
                    after: head, epoch: 1, atMs: 1, actor: "x", clusterID: nil, kind: "test",
                    body: Array("{}".utf8), digest: JournalTampering.digest), at: 17)
            // The inserted one fits; the one after it does not name it.
            changed[17].seq = 18
            return changed
        }
        try await expect("reordered", at: 17) { entries in
            var changed = entries
            (changed[16].seq, changed[17].seq) = (18, 17)
            return changed
        }
        let cut = try #require(checkpoints.last).seq - 2
        try await expect("cut", at: cut + 1, witness: true) { Array($0.prefix(Int(cut))) }
        // Rewritten from entry 9 on by somebody without the key: the next checkpoint shows it.
        let next = try #require(
            entries.first { $0.seq > 9 && $0.kind == "checkpoint_signed" }
        ).seq
        try await expect("rewritten without the key", at: next) { entries in
            JournalTampering.rewritten(entries, key: nil) { entry in
                if entry.seq == 9 { entry.actor = "somebody-else" }
            }
        }
        // By the key's holder: only a witness can tell, and names the stretch.
        let key = try fixture.privateKey()
        let forged = JournalTampering.rewritten(entries, key: key) { entry in
            if entry.seq == 9 { entry.actor = "somebody-else" }
        }
        let file = try copy(fixture.journal, "forged.sqlite", of: fixture)
        try JournalTampering.replace(file, with: forged)
        #expect(try await fixture.verify(file).exitCode == 0)
        let seen = try await fixture.verify(file, witness: true)
        #expect(seen.exitCode == 65)
        let first = try #require(checkpoints.first { $0.seq >= 9 })
        let agreed = checkpoints.last { $0.seq < 9 }?.seq ?? 0
        #expect(
            seen.errors.contains("at entry \(first.seq): node-1 witnessed it with another hash"),
            "\(seen.errors)")
        #expect(
            seen.errors.contains("an entry from \(agreed + 1) to \(first.seq) was rewritten"),
            "\(seen.errors)")
        // The whole file by somebody else's key.
        let foreign = JournalTampering.rewritten(entries, key: Ed25519.PrivateKey()) { _ in }
        try JournalTampering.replace(file, with: foreign)
        let stranger = try await fixture.verify(file)
        #expect(stranger.errors.contains("not a given one"), "\(stranger.errors)")
    }

    /// Everything after the first checkpoint is written anew without the key: later checkpoints are
    /// left out, since nobody can sign them.
    @Test func anEndThatShouldHaveBeenSignedIsAFinding() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(8)
        let entries = try fixture.finish()
        let first = try #require(entries.first { $0.kind == "checkpoint_signed" }).seq
        func verified(
            shiftMs: Int64, _ more: String...
        ) async throws -> Programs.Result {
            let kept = entries.filter { $0.seq <= first || $0.kind != "checkpoint_signed" }
            let rewritten = JournalTampering.rewritten(kept, key: nil) { entry in
                guard entry.seq > first else { return }
                entry.actor = "somebody-else"
                entry.atMs += shiftMs
            }
            let file = try copy(fixture.journal, "tail.sqlite", of: fixture)
            try JournalTampering.replace(
                file, with: Array(entries.prefix(Int(first))) + rewritten.dropFirst(Int(first)))
            return try await Programs.run(
                ["audit", "verify", "--journal", file, "--public-key", fixture.key + ".pub"]
                    + more)
        }
        let old = try await verified(shiftMs: -60_000)
        #expect(old.exitCode == 4, "\(old.errors)")
        #expect(old.errors.contains("entries \(first + 1) to"), "\(old.errors)")
        #expect(old.errors.contains("signed by nobody"), "\(old.errors)")
        let long = try await verified(shiftMs: 0, "--checkpoint-entries", "5", "--json")
        #expect(long.exitCode == 4)
        #expect(long.output.contains("unsigned_tail"), "\(long.output)")
        // A young and short one is how a journal always looks while `serve` runs.
        let young = try await verified(shiftMs: 600_000, "--checkpoint-s", "3600")
        #expect(young.exitCode == 0, "\(young.errors)")
        // What `serve` left in order has no unsigned end.
        #expect(entries.last?.kind == "checkpoint_signed")
    }

    @Test func aWitnessThatProvesNothingIsNotTakenForOne() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(4)
        let checkpoints = try fixture.checkpoints(try fixture.finish())
        try "".write(toFile: fixture.witness, atomically: true, encoding: .utf8)
        let empty = try await fixture.verify(fixture.journal, witness: true)
        #expect(empty.exitCode == 65)
        #expect(empty.errors.contains("holds no checkpoint"), "\(empty.errors)")
        var forged = try #require(checkpoints.last)
        forged.signature = String(forged.signature.reversed())
        try fixture.writeWitness([forged])
        let unsigned = try await fixture.verify(fixture.journal, witness: true)
        #expect(unsigned.exitCode == 65)
        #expect(unsigned.errors.contains("is not signed by a given key"), "\(unsigned.errors)")
        try fixture.writeWitness(checkpoints)
        let alarm = WitnessRecord(
            nodeID: "node-1", atMs: 1, checkpoint: forged, alarm: "fork: entry 3")
        let text = try String(contentsOfFile: fixture.witness, encoding: .utf8)
        try (text + String(decoding: CanonicalJSON.bytes(encoding: alarm), as: UTF8.self) + "\n")
            .write(toFile: fixture.witness, atomically: true, encoding: .utf8)
        let alarmed = try await fixture.verify(fixture.journal, witness: true)
        #expect(alarmed.exitCode == 4)
        #expect(alarmed.errors.contains("node-1 raised an alarm"), "\(alarmed.errors)")
    }

    @Test func aKindIsChosenBeforeTheLimitAndTheNewestCanBeAsked() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(5)
        let served = try await Programs.run(
            ["audit", "list", "--kind", "checkpoint_signed", "--limit", "2", "--newest", "--json"]
                + fixture.serve.access)
        #expect(served.exitCode == 0, "\(served.errors)")
        #expect(served.output.split(separator: "\n").count == 2)
        let entries = try fixture.finish()
        let signed = entries.filter { $0.kind == "checkpoint_signed" }.map(\.seq)
        func list(_ more: String...) async throws -> [Int64] {
            let result = try await Programs.run(
                [
                    "audit", "list", "--journal", fixture.journal, "--json", "--kind",
                    "checkpoint_signed",
                ] + more)
            #expect(result.exitCode == 0, "\(result.errors)")
            return try result.output.split(separator: "\n").map {
                let entry = try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))
                return try #require(entry["seq"]?.int)
            }
        }
        #expect(signed.count > 3)
        #expect(try await list("--limit", "3") == Array(signed.prefix(3)))
        #expect(try await list("--limit", "2", "--newest") == Array(signed.suffix(2)))
        #expect(try await list("--after", "\(signed[0])", "--limit", "1") == [signed[1]])
        let wrong = try await Programs.run("audit", "list", "--kind", "a&b=c")
        #expect(wrong.exitCode == 64)
    }

    /// Every byte of the file, one bit each: the entries read are the same as before, or the damage
    /// is named. Bits that say nothing (free space in pages, SQLite's counters) change no entry.
    @Test func oneBitAnywhereIsFoundWhereItSaysAnything() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(4)
        let entries = try fixture.finish()
        let original = try Data(contentsOf: URL(fileURLWithPath: fixture.journal))
        let file = fixture.folder + "/bit.sqlite"
        let key = try fixture.privateKey().publicKey
        var found = 0
        var silent = 0
        var random = SystemRandomNumberGenerator()
        for place in stride(from: 0, to: original.count, by: 19) {
            var bytes = original
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try bytes.write(to: URL(fileURLWithPath: file))
            var inspector = JournalInspector(keys: [key], witnesses: [])
            var read: [JournalEntry] = []
            do {
                let store = try JournalStore.read(path: file)
                let head = try store.verify(
                    digest: JournalTampering.digest,
                    inspect: { view throws(JournalFault) in
                        read.append(view.entry)
                        try inspector.inspect(view)
                    })
                try inspector.finish(head.head)
            } catch {
                found += 1
                continue
            }
            silent += 1
            // The end of the chain can be cut; that is what witnesses are for.
            #expect(read == Array(entries.prefix(read.count)), "byte \(place) changed an entry")
            #expect(read.count == entries.count, "byte \(place) cut the journal")
        }
        print("bit sweep: \(original.count) bytes, \(found) found, \(silent) changed no entry")
        #expect(found > silent / 4)
    }

    /// Every byte of every entry's own fields: the entry is named.
    @Test func oneBitInAnEntryNamesTheEntry() async throws {
        let fixture = try await AuditFixture()
        try await fixture.serve.start()
        try await fixture.decide(2)
        let entries = try fixture.finish()
        let original = try Data(contentsOf: URL(fileURLWithPath: fixture.journal))
        let file = fixture.folder + "/bit.sqlite"
        var sweeps = 0
        for entry in entries {
            // As they stand behind each other in the file; a long body goes over to other pages.
            let stored =
                entry.body + Array((entry.bodySHA256 + entry.prev + entry.hash).utf8)
            guard let range = original.range(of: Data(stored)) else {
                #expect(stored.count > 1000, "entry \(entry.seq) is not found in the file")
                continue
            }
            for place in stride(from: range.lowerBound, to: range.upperBound, by: 23) {
                var bytes = original
                bytes[place] ^= 1 << UInt8(place % 8)
                try bytes.write(to: URL(fileURLWithPath: file))
                let error = #expect(throws: StoreError.self) {
                    try JournalStore.read(path: file).verify(digest: JournalTampering.digest)
                }
                let message = error?.message ?? ""
                #expect(
                    message.contains("at entry \(entry.seq):"),
                    "entry \(entry.seq), byte \(place): \(message)")
                sweeps += 1
            }
        }
        #expect(sweeps > 100)
    }
}
