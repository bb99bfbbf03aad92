import ContinuityCore
import ContinuityCrypto
import ContinuityStore
import Foundation
import Testing

@Suite struct JournalStoreTests {
    private static let digest = ContentDigest { SHA256.digest($0) }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "continuity-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path + "/journal.sqlite")
    }

    private func entries(_ count: Int) -> [JournalEntry] {
        var head = JournalHead.empty
        return (1...count).map { number in
            let entry = JournalEntry(
                after: head, epoch: 1, atMs: Int64(number), actor: "test", clusterID: "demo",
                kind: "test", body: Array(#"{"n":\#(number)}"#.utf8), digest: Self.digest)
            head = JournalHead(seq: entry.seq, hash: entry.hash)
            return entry
        }
    }

    @Test func whatWasAppendedIsReadBackAndVerifies() throws {
        try withFolder { path in
            let written = entries(2500)
            do {
                let store = try JournalStore.open(path: path)
                try store.append(Array(written.prefix(1000)))
                try store.append(Array(written.dropFirst(1000)))
            }
            let store = try JournalStore.open(path: path)
            var read: [JournalEntry] = []
            let head = try store.verify(digest: Self.digest) { entry throws(JournalFault) in
                read.append(entry)
            }
            #expect(read == written)
            #expect(head.seq == 2500)
            #expect(try store.entries(after: 2498, limit: 10).map(\.seq) == [2499, 2500])
        }
    }

    @Test func anAppendIsWholeOrNothing() throws {
        try withFolder { path in
            let store = try JournalStore.open(path: path)
            let written = entries(3)
            try store.append([written[0]])
            #expect(throws: StoreError.self) { try store.append([written[1], written[0]]) }
            #expect(try store.entries(after: 0, limit: 10).count == 1)
        }
    }

    @Test func aSecondServerIsKeptOutAndReadersAreNot() throws {
        try withFolder { path in
            let store = try JournalStore.open(path: path)
            try store.append(entries(2))
            let error = #expect(throws: StoreError.self) { try JournalStore.open(path: path) }
            #expect(error?.message.contains("in use") == true)
            #expect(try JournalStore.read(path: path).entries(after: 0, limit: 10).count == 2)
        }
    }

    /// With the log beside it, and with a umask that would let everybody read.
    @Test func theFilesAreTheirOwnersAlone() throws {
        try withFolder { path in
            let store = try JournalStore.open(path: path)
            try store.append(entries(3))
            try store.backUp(to: path + ".copy", digest: Self.digest)
            for file in [path, path + "-wal", path + ".lock", path + ".copy"] {
                let mode =
                    try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
                #expect((mode as? NSNumber)?.intValue == 0o600, "\(file)")
            }
        }
    }

    @Test func damageIsNamedNotMended() throws {
        try withFolder { path in
            do { try JournalStore.open(path: path).append(entries(10)) }
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            let place = try #require(bytes.range(of: Data(#"{"n":7}"#.utf8)))
            bytes[place.lowerBound + 5] = UInt8(ascii: "8")
            try bytes.write(to: URL(fileURLWithPath: path))
            let store = try JournalStore.open(path: path)
            let error = #expect(throws: StoreError.self) { try store.verify(digest: Self.digest) }
            #expect(error?.message.contains("entry 7") == true)
        }
    }

    @Test func truncatedAndForeignFilesAreRefused() throws {
        try withFolder { path in
            do { try JournalStore.open(path: path).append(entries(500)) }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: path))
            #expect(throws: StoreError.self) {
                try JournalStore.open(path: path).verify(digest: Self.digest)
            }
            try Data("not a database, but long enough to be looked at".utf8)
                .write(to: URL(fileURLWithPath: path + ".txt"))
            #expect(throws: StoreError.self) { try JournalStore.open(path: path + ".txt") }
            #expect(throws: StoreError.self) { try JournalStore.read(path: path + ".none") }
            #expect(throws: StoreError.self) {
                try JournalStore.open(path: "/nonexistent/journal.sqlite")
            }
        }
    }
}
