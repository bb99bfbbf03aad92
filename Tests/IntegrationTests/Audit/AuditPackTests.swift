import ContinuityCore
import Foundation
import Testing

/// The pack of a real run: of the demo, with its agents as witnesses.
@Suite(.serialized) struct AuditPackTests {
    @Test func thePackOfARealRunIsCheckedWithThePublicKeyAlone() async throws {
        let folder = try TemporaryFolder(name: "ap-\(UUID().uuidString.prefix(8))")
        let demo = try await Programs.run(
            program: "env",
            [
                "TMPDIR=\(folder.path)", Programs.continuity, "demo", "--json", "--keep",
                "--profile", "lan", "--scenario", "crash",
            ])
        #expect(demo.exitCode == 0, "\(demo.errors)\n\(demo.output)")
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).first)
        let home = folder.path + "/" + name
        let journal = home + "/journal.sqlite"
        let verdict = try await Programs.run(
            "audit", "verify", "--journal", journal, "--public-key", home + "/audit.key.pub",
            "--witness", home, "--json")
        #expect(verdict.exitCode == 0, "\(verdict.errors)")
        let found = try JSONDecoder().decode(JSONValue.self, from: Data(verdict.output.utf8))
        #expect((found["witnessed_seq"]?.int ?? 0) > 5)

        let entries = try JournalTampering.entries(journal)
        let finished = try #require(entries.first { $0.kind == "run_finished" })
        let body = try JSONDecoder().decode(JSONValue.self, from: Data(finished.body))
        let run = try #require(body["run_id"]?.string)
        let pack = folder.path + "/pack"
        let made = try await Programs.run(
            "audit", "export", run, "--journal", journal, "--key", home + "/audit.key",
            "--output", pack)
        #expect(made.exitCode == 0, "\(made.errors)")
        // The auditor has the folder and the public key, and nothing else.
        let key = try folder.write(
            String(contentsOfFile: home + "/audit.key.pub", encoding: .utf8), to: "auditor.pub")
        try FileManager.default.removeItem(atPath: home)
        func check() async throws -> Programs.Result {
            try await Programs.run("audit", "verify", pack, "--public-key", key)
        }
        let good = try await check()
        #expect(good.exitCode == 0, "\(good.errors)")
        #expect(good.output.contains("signed up to entry"), "\(good.output)")
        try expectLayers(pack)

        for file in try FileManager.default.contentsOfDirectory(atPath: pack) {
            let path = pack + "/" + file
            let original = try Data(contentsOf: URL(fileURLWithPath: path))
            for place in stride(from: 0, to: original.count, by: max(1, original.count / 3)) {
                var bytes = original
                bytes[place] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
                let result = try await check()
                #expect(result.exitCode == 65, "\(file), byte \(place)")
                let isNamed = result.errors.contains(file) || file.hasPrefix("manifest")
                #expect(isNamed, "\(result.errors)")
            }
            try FileManager.default.removeItem(atPath: path)
            #expect(try await check().exitCode == 65, "\(file) removed")
            try original.write(to: URL(fileURLWithPath: path))
        }
        try "x".write(toFile: pack + "/more.txt", atomically: true, encoding: .utf8)
        let more = try await check()
        #expect(more.errors.contains("more.txt: does not belong"), "\(more.errors)")
        let unknown = try await Programs.run("audit", "verify", pack)
        #expect(unknown.exitCode == 64)
    }

    private func expectLayers(_ pack: String) throws {
        func json(_ name: String) throws -> JSONValue {
            try JSONDecoder().decode(
                JSONValue.self, from: Data(contentsOf: URL(fileURLWithPath: pack + "/" + name)))
        }
        let readme = try String(contentsOfFile: pack + "/README.md", encoding: .utf8)
        for title in ["L19 citations", "L20 verification", "L21 tamper", "L22 confidence"] {
            #expect(readme.contains("## \(title)"))
        }
        let figures = try json("L19-citations.json")["figures"]?.array ?? []
        #expect(figures.count > 20)
        #expect(figures.allSatisfy { $0["seq"]?.int != nil && $0["pointer"]?.string != nil })
        #expect(try json("L20-verification.json")["holds"]?.bool == true)
        #expect((try json("L22-confidence.json")["score"]?.int ?? 0) >= 90)
        let hooks = try json("hooks.json")["hook_calls"]?.array ?? []
        #expect(hooks.count == 4)
        #expect(hooks.allSatisfy { $0["script_sha256"]?.string?.count == 64 })
        #expect(try json("approvals.json")["approvals"]?.array == [])
        #expect(try json("manifest.json")["files"]?.array?.count == 10)
    }
}
