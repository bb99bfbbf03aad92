import ContinuityCore
import Testing

@testable import ContinuityHooks

@Suite("Hook invocations")
struct InvocationTests {
    @Test("a table comes back as the value, with usage and digests")
    func roundTrip() async throws {
        let outcome = try await HookTesting.run(
            """
            ctx.log("seen", ctx.cluster.name, ctx.epoch, nil)
            return { name = ctx.cluster.name, list = { 1, "zwei", true }, big = ctx.big, none = {},
                absent = ctx.nothing == nil, text = "ü\\n\\0\\"" }
            """,
            context: [
                "cluster": ["name": "orders"], "epoch": 7, "big": .int(Int64.min),
                "nothing": nil,
            ])
        #expect(outcome.status == .ok, "\(outcome)")
        #expect(
            outcome.value == [
                "name": "orders", "list": [1, "zwei", true], "big": .int(Int64.min), "none": [:],
                "absent": true, "text": "ü\n\0\"",
            ])
        #expect(outcome.logs == ["seen orders 7 nil"])
        #expect(outcome.usage.memoryBytes > 1000)
        #expect(outcome.usage.wallUs > 0)
        #expect(outcome.scriptSHA256.count == 64 && outcome.inputSHA256.count == 64)
    }

    @Test("true is ok; false, nil and nil with a message are failures")
    func answers() async throws {
        #expect(try await HookTesting.run("return true").value == true)
        let plain = try await HookTesting.run("return nil, 'the disk is full'")
        #expect(plain.status == .failed && plain.error == "the disk is full")
        #expect(try await HookTesting.run("return false").status == .failed)
        let silent = try await HookTesting.run("local x = 1")
        #expect(silent.status == .failed && silent.error == "no message was returned")
    }

    @Test("a raised error is a bug, with file, line and traceback")
    func raised() async throws {
        let outcome = try await HookTesting.run("local t = nil\nreturn t.x")
        #expect(outcome.status == .error)
        let error = try #require(outcome.error)
        #expect(error.contains("probe/main.lua:3: attempt to index a nil value (local 't')"))
        #expect(error.contains("stack traceback:"))
        let table = try await HookTesting.run("error({})")
        #expect(table.error?.contains("a table was raised instead of a text") == true)
    }

    @Test(
        "what is no data is refused, with its place",
        arguments: [
            ("return { a = { 1, 2.5 } }", "the returned table.a[2] is not a whole number"),
            ("return { f = print or pairs }", "the returned table.f is a function"),
            ("return { x = '\\xff' }", "the returned table.x is not UTF-8 text"),
            ("return { 1, x = 2 }", "neither all texts nor exactly 1 to n"),
            ("local t = {}; t.t = t; return t", "contains itself"),
            (
                "return 'yes'",
                "returned a string: it must return true, a table, or nil and a message"
            ),
        ])
    func notData(body: String, message: String) async throws {
        let outcome = try await HookTesting.run(body)
        #expect(outcome.status == .error)
        #expect(outcome.error?.contains(message) == true, "\(outcome.error ?? "")")
    }

    @Test("a script without the function, or that does not compile, is a bug")
    func badScripts() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let manifest = """
            api: hooks/v1
            name: probe
            version: "1"
            kind: check
            stages: [verify]
            """
        for (script, message) in [
            ("return {}", "the script returned no function 'verify'"),
            ("return 1", "must return a table of functions"),
            ("return {{", "probe/main.lua:1:"),
            ("\u{1B}Lua", "attempt to load a binary chunk"),
        ] {
            let pack = try HookPack(
                folder: "", manifestText: manifest, manifestFile: "hook.yaml", script: script)
            let outcome = await HookTesting.run(runtime, pack)
            #expect(outcome.status == .error)
            #expect(outcome.error?.contains(message) == true, "\(outcome.error ?? "")")
        }
    }

    @Test("configuration is checked and completed from the manifest")
    func configuration() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let pack = try HookTesting.pack(
            "return { a = conf.a, b = conf.b, c = conf.c == nil }",
            manifest: """
                config:
                  a: {type: integer, required: true}
                  b: {type: strings, default: [x, y]}
                  c: {type: string}
                """)
        let good = await HookTesting.run(runtime, pack, configuration: ["a": 3])
        #expect(good.value == ["a": 3, "b": ["x", "y"], "c": true])
        let missing = await HookTesting.run(runtime, pack)
        #expect(missing.status == .error && missing.error == "configuration: 'a' is missing")
        let mistyped = await HookTesting.run(runtime, pack, configuration: ["a": "3"])
        #expect(mistyped.error == "configuration: 'a' must be of type integer")
        let unknown = await HookTesting.run(runtime, pack, configuration: ["a": 1, "z": 1])
        #expect(unknown.error == "configuration: unknown option 'z'; known: a, b, c")
    }

    @Test("a policy must return a verdict, and a denial its reason")
    func verdicts() async throws {
        let good = try await HookTesting.run(
            "return { verdict = 'deny', reason = 'no' }", kind: .policy)
        #expect(good.status == .ok && good.value["reason"] == "no")
        for body in ["return true", "return { verdict = 'yes' }", "return { verdict = 'deny' }"] {
            let bad = try await HookTesting.run(body, kind: .policy)
            #expect(bad.status == .error && bad.value == .null)
        }
        let handles = try await HookTesting.run(
            "return { verdict = 'allow', notify = ctx.notify == nil, log = ctx.log ~= nil }",
            kind: .policy)
        #expect(handles.value["notify"] == true && handles.value["log"] == true)
    }
}
