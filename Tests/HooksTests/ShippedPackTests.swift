import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

@Suite("Shipped packs")
struct ShippedPackTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let folders: [String] = ["hooks", "policies"].flatMap { group -> [String] in
        let folder = root.appendingPathComponent(group).path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().map { folder + "/" + $0 }.filter { $0.hasSuffix("/library") == false }
    }

    @Test("there are packs to test")
    func found() {
        #expect(Self.folders.count >= 3)
    }

    @Test("every fixture passes in the real sandbox", arguments: folders)
    func fixtures(folder: String) async throws {
        let pack = try HookPack.load(folder: folder)
        #expect(pack.manifest.name == URL(fileURLWithPath: folder).lastPathComponent)
        #expect(FileManager.default.fileExists(atPath: folder + "/README.md"))
        let fixtures = try HookFixture.loadAll(packFolder: folder)
        #expect(fixtures.count >= 3)
        let runtime = try HookTesting.runtime()
        defer { runtime.shutdown() }
        for fixture in fixtures {
            let (_, differences) = await fixture.run(pack, in: runtime)
            #expect(differences.isEmpty, "\(fixture.file): \(differences)")
        }
    }

    @Test("a fixture that does not hold says what differs")
    func differences() async throws {
        let fixture = try HookFixture(
            text: """
                name: wrong on purpose
                entry: pre_check
                context: {}
                expect:
                  status: failed
                  logs: [x]
                  effects: [{call: notify}]
                  value: {a: 1}
                """, file: "wrong.yaml")
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let (outcome, differences) = await fixture.run(
            try HookTesting.pack("return true"), in: runtime)
        #expect(outcome.status == .ok)
        #expect(
            differences == [
                "status: expected 'failed', got 'ok'", "value: expected {\"a\":1}, got true",
                "logs: expected [\"x\"], got []", "effects: expected 1, got []",
            ])
    }
}
