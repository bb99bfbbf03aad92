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

    // MARK: Uses of ctx

    private func uses(
        _ body: String, kind: HookKind = .action, capabilities: String = "{}"
    ) throws -> [String] {
        let manifest = try HookManifest(
            text: """
                {api: hooks/v1, name: x, version: "1", kind: \(kind.rawValue),
                stages: [\(kind == .policy ? "admit" : "notify")], capabilities: \(capabilities)}
                """, file: "hook.yaml")
        return ContextUse.all(
            inScript: body, kind: kind, requested: manifest.capabilities.rules
        ).map(\.advice)
    }

    @Test(
        "a member that ctx does not have is named with its line and the likely one",
        arguments: [
            ("return ctx.clutser.name", "line 1: ctx.clutser does not exist; is it 'cluster'?"),
            (
                "\n\nctx.http.pots(u)",
                "line 3: ctx.http.pots does not exist; is it 'post' or 'put'?"
            ),
            (
                "return ctx['http'].pots",
                "line 1: ctx.http.pots does not exist; is it 'post' or 'put'?"
            ),
            (
                "local http = ctx.http\nhttp.pots(u)",
                "line 2: ctx.http.pots does not exist; is it 'post' or 'put'?"
            ),
            ("f(ctx.target.sevice)", "line 1: ctx.target.sevice does not exist; is it 'service'?"),
            (
                "if ctx.cluster.nodes[i + #t[1]].rol then end",
                "line 1: ctx.cluster.nodes[…].rol does not exist; is it 'role'?"
            ),
            (
                "return ctx.cluster.nodes.first",
                "line 1: ctx.cluster.nodes is a list and has no member 'first'"
            ),
            (
                "--[[ x\n]] local s = [==[\n]==] return ctx.nwo()",
                "line 3: ctx.nwo does not exist; is it 'now'?"
            ),
        ])
    func unknownMembers(body: String, expected: String) throws {
        let all = "{http: [{hosts: ['*'], methods: [GET, POST, PUT]}]}"
        #expect(try uses(body, capabilities: all) == [expected])
    }

    @Test(
        "what is there is not objected to",
        arguments: [
            "return ctx.target.service and ctx.target.service.lag_ms",
            "for _, n in ipairs(ctx.cluster.nodes) do f(n.anything) end",
            "return ctx.target.metadata.whatever .. ctx.primary.metadata['x-y']",
            "return ctx.plan.target_scores[1].scores['db-2']",
            "return ctx.verification.deductions[1].evidence",
            "local t = { ctx = 1 } return t.ctx.foo", "local ctx = {} return ctx.foo",
            "-- ctx.foo\nreturn 'ctx.foo', [[ctx.foo]]",
            "local cluster = ctx.cluster return cluster.name",
            "local http = ctx.http.get(u) return http.status", "return ctx.log('x'), ctx.now()",
            "local node = ctx.target or ctx.primary return node.foo",
        ])
    func knownMembers(body: String) throws {
        let all = "{http: [{hosts: ['*'], methods: [GET]}]}"
        #expect(try uses(body, capabilities: all) == [])
    }

    @Test(
        "a call that the manifest does not ask for is named",
        arguments: [
            (
                "ctx.http.get(u)", "{}",
                "ctx.http.get is used, but hook.yaml does not ask for it: add 'capabilities.http'"
            ),
            (
                "ctx.http.post(u)", "{http: [{hosts: ['*']}]}",
                "add 'methods: [POST]' under 'capabilities.http'"
            ),
            ("ctx.dns.lookup(n, 'A')", "{}", "add 'capabilities.dns'"),
            (
                "ctx.agent.read(n, 'x')", "{agent: {commands: [status]}}",
                "add 'capabilities.agent.reads'"
            ),
            ("ctx.haproxy.command(a, c)", "{}", "add 'capabilities.haproxy'"),
            ("ctx.notify(c, m)", "{}", "add 'capabilities.notify.channels'"),
            (
                "ctx.notify('ops', m)", "{notify: {channels: [oncall]}}",
                "ctx.notify(\"ops\") is used, but 'capabilities.notify.channels'"
            ),
            (
                "local s = ctx.secret 'k'", "{secrets: [other]}",
                "ctx.secret(\"k\") is used, but 'capabilities.secrets'"
            ),
        ])
    func unrequested(body: String, capabilities: String, expected: String) throws {
        let found = try uses(body, capabilities: capabilities)
        #expect(found.count == 1 && found[0].contains(expected), "\(found)")
    }

    @Test("a policy's use of a handle is named, and shipped packs have no such use")
    func handles() throws {
        let found = try uses("return ctx.http.get(u)", kind: .policy)
        #expect(found == ["line 1: ctx.http.get is not there for a policy, which is pure"])
        for folder in ShippedPackTests.folders {
            let pack = try HookPack.load(folder: folder)
            let uses = ContextUse.all(
                inScript: pack.script, kind: pack.manifest.kind,
                requested: pack.manifest.capabilities.rules)
            #expect(uses.isEmpty, "\(folder): \(uses.map(\.advice))")
        }
        for kind in [HookKind.policy, .check, .action] {
            let script = PackScaffold(name: "x", kind: kind).files.first { $0.path == "main.lua" }
            #expect(script?.text.contains("---@param ctx continuity.Context\n") == true)
        }
    }
}
