import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

@Suite struct KitTests {
    private func recording(_ key: String, calls: [HookRecording.Call] = []) throws -> HookRecording
    {
        let pack = try HookTesting.pack("return true", manifest: Self.notify)
        return HookRecording(
            of: HookInvocation(
                pack: pack, stage: .preCheck, context: ["now_ms": 1],
                grant: HookGrant(notifyChannels: ["oncall"])),
            operation: OperationKey(key), clusterID: "demo", drill: false, atMs: 1, calls: calls,
            outcome: HookOutcome(status: .ok, value: true))
    }

    private static let notify = "capabilities: {notify: {channels: [oncall]}}"

    @Test func theOldestRecordingsAreDroppedFirst() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "continuity-recordings-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try RecordingStore(folder: folder, countMax: 3)
        for number in 1...5 { try store.save(try recording("run/\(number)")) }
        try store.save(try recording("run/5"))
        let kept = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(
            Set(kept) == Set((3...5).map { RecordingStore.fileName(of: OperationKey("run/\($0)")) })
        )
        // Another process finds them and keeps to the bound.
        let next = try RecordingStore(folder: folder, countMax: 2)
        try next.save(try recording("run/6"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
        let file = folder + "/" + RecordingStore.fileName(of: "run/6")
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect(
            try JSONDecoder().decode(HookRecording.self, from: data) == recording("run/6"))
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
    }

    @Test func aReplayAnswersAsRecordedAndShowsWhatIsNew() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let arguments: JSONValue = [
            "channel": "oncall", "summary": "a", "severity": "info", "data": [:],
        ]
        let calls = [
            HookRecording.Call(
                name: "notify", arguments: arguments,
                reply: HookHostReply.failed(message: "full", code: "unavailable").json)
        ]
        let recorded = try recording("run/1", calls: calls)
        let same = try HookTesting.pack(
            "local ok, message, code = ctx.notify('oncall', {summary = 'a'})\n"
                + "return code == 'unavailable' and message == 'full'", manifest: Self.notify)
        #expect(await recorded.replay(with: same, in: runtime).differences.isEmpty)
        let more = try HookTesting.pack(
            "ctx.notify('oncall', {summary = 'a'})\n"
                + "local _, _, code = ctx.notify('oncall', {summary = 'b'})\n"
                + "return nil, code", manifest: Self.notify)
        let differences = await recorded.replay(with: more, in: runtime).differences
        #expect(differences.map(\.what) == ["status", "value", "error", "call 2"])
        #expect(differences[2].now == ReplayBroker.unrecordedCode)
    }

    @Test func anInspectionCallsNoFunctionAndNamesWhatIsWrong() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let pack = try HookTesting.pack("while true do end")
        let inspection = try await HookInspection.of(pack, in: runtime)
        #expect(inspection.functions == ["pre_check"])
        #expect(inspection.globals.isSuperset(of: ["string", "pairs", "pcall"]))
        #expect(inspection.globals.isDisjoint(with: ["print", "os", "io", "require", "load"]))
        for (script, message) in [
            ("return {", "main.lua"), ("return 1", "no table"), ("error('at load')", "at load"),
            ("return {other = function() end}", "no function 'pre_check'"),
            ("while true do end", "instructions"),
        ] {
            let broken = try HookPack(
                folder: "/nowhere",
                manifestText:
                    "api: hooks/v1\nname: probe\nversion: '1'\nkind: check\nstages: [pre_check]\n",
                manifestFile: "hook.yaml", script: script)
            do throws(HookInspection.Problem) {
                _ = try await HookInspection.of(broken, in: runtime)
                Issue.record("it was taken: \(script)")
            } catch {
                #expect(error.message.contains(message), "\(error)")
            }
        }
    }

    @Test func usesOfGlobalsAreReadFromTheCompilersListing() {
        let listing = """
            main <f.lua:0,0> (7 instructions at 0x1)
            \t1\t[3]\tGETTABUP \t0 0 0\t; _ENV "print"
            \t2\t[3]\tGETTABUP \t0 0 0\t; _ENV "print"
            \t3\t[2]\tSETTABUP \t0 2 3k\t; _ENV "y" 1
            \t4\t[4]\tGETTABUP \t0 0 4\t; other "string"
            \t5\t[4]\tGETFIELD \t0 0 5\t; "format"
            """
        #expect(
            GlobalUse.all(inListing: listing) == [
                GlobalUse(name: "y", line: 2, isWrite: true),
                GlobalUse(name: "print", line: 3, isWrite: false),
            ])
    }
}
