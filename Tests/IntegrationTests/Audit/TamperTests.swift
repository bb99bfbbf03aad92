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
                try inspector.finish(head)
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
