import ContinuityCore
import Foundation
import Glibc
import Logging
import Testing

@testable import ContinuityHooks

@Suite("The hook sandbox")
struct SandboxTests {
    @Test("every layer is active, and forbidden system calls kill")
    func selfTest() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        #expect(runtime.sandboxReport().missing == [])
        let diagnosis = try SandboxDiagnosis.run(sandboxPath: HookRuntime.defaultSandboxPath())
        #expect(diagnosis.missing.isEmpty && diagnosis.escapes.isEmpty, "\(diagnosis)")
        #expect(diagnosis.suffices(.strict))
        #expect(diagnosis.attempts.count >= 40)
        for deed in ["open", "socket", "execve", "fork", "kill", "ptrace", "mmap-exec", "bpf"] {
            #expect(diagnosis.attempts.contains { $0.name == deed })
        }
    }

    /// User namespaces nest some 32 deep: in the last one the sandbox gets none of its own, and
    /// without its rights no network namespace either.
    private static let lackingProgram = """
        #!/bin/sh
        if unshare -U true 2>/dev/null; then exec unshare -U "$0" "$@"; fi
        exec "$SANDBOX" "$@"
        """

    @Test("missing layers are reported, and refused where the sandbox is to be strict")
    func missingLayers() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "continuity-sandbox-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = folder.appending(path: "lacking").path
        try Self.lackingProgram.replacing("$SANDBOX", with: HookRuntime.defaultSandboxPath())
            .write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let runtime = try HookRuntime(sandboxPath: program, workers: 1, logger: logger)
        defer { runtime.shutdown() }
        #expect(runtime.sandboxReport().missing == [.userNamespace, .networkNamespace])
        #expect(
            await HookTesting.run(runtime, try HookTesting.pack("return true")).status == .ok)
        let error = #expect(throws: SandboxError.self) {
            try HookRuntime(
                sandboxPath: program, workers: 1, strictness: .strict, logger: logger)
        }
        #expect(error?.message.contains("user namespace, network namespace") == true)
        let diagnosis = try SandboxDiagnosis.run(sandboxPath: program)
        #expect(diagnosis.suffices(.standard) && !diagnosis.suffices(.strict))
        #expect(diagnosis.missing.map(\.layer) == [.userNamespace, .networkNamespace])
    }

    @Test("a program that is not the sandbox is a clear error")
    func wrongProgram() {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        for path in ["/nonexistent/sandbox", "/bin/true"] {
            #expect(throws: SandboxError.self) {
                try HookRuntime(sandboxPath: path, workers: 1, logger: logger)
            }
        }
    }

    @Test("only the allow-list is there")
    func globals() async throws {
        let outcome = try await HookTesting.run(
            """
            local found = {}
            for name, value in pairs(_G) do
                if type(value) == "table" and name ~= "_G" then
                    for member in pairs(value) do found[#found + 1] = name .. "." .. member end
                else
                    found[#found + 1] = name
                end
            end
            return found
            """)
        let found = Set(outcome.value.array?.compactMap(\.string) ?? [])
        #expect(found.contains("string.format") && found.contains("coroutine.wrap"))
        for name in [
            "load", "loadstring", "loadfile", "dofile", "require", "print", "collectgarbage",
            "string.dump", "coroutine.close", "math.randomseed", "warn",
        ] {
            #expect(!found.contains(name), "\(name)")
        }
        for library in ["io", "os", "debug", "package"] {
            #expect(!found.contains { $0 == library || $0.hasPrefix(library + ".") })
        }
        #expect(
            found.filter { !$0.contains(".") }.sorted() == [
                "_G", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
                "rawequal", "rawget", "rawlen", "rawset", "select", "setmetatable", "tonumber",
                "tostring", "type", "xpcall",
            ])
    }

    @Test(
        "ways around the allow-list are closed",
        arguments: [
            ("return { x = string.format('%p', {}) }", "'%p' is not available"),
            ("setmetatable({}, { __gc = function() end }) return true", "'__gc' are not available"),
            ("setmetatable({}, { __mode = 'k' }) return true", "'__mode' are not available"),
            ("getmetatable('').__index = nil return true", "attempt to index a boolean value"),
            ("local step = pairs({ 1 }) step('x') return true", "table expected, got string"),
        ])
    func closed(body: String, message: String) async throws {
        let outcome = try await HookTesting.run(body)
        #expect(outcome.status == .error)
        #expect(outcome.error?.contains(message) == true, "\(outcome.error ?? "")")
    }

    @Test("nothing is left over from one invocation to the next")
    func isolation() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let pack = try HookTesting.pack(
            "local before = leak; leak = 1; string.leak = 1; return { before = before or 0, s = string.leak }"
        )
        for _ in 1...5 {
            #expect(await HookTesting.run(runtime, pack).value == ["before": 0, "s": 1])
        }
    }

    @Test("a policy gives the same in every process")
    func determinism() async throws {
        let body = """
            local t, out = {}, {}
            for i = 1, 50 do t["key" .. (i * 7919) % 101] = i; t[i * 3] = i; t[i + 0.5] = i end
            t[true] = 1
            for k in pairs(t) do out[#out + 1] = tostring(k) end
            for k in next, t do out[#out + 1] = tostring(k) end
            local list = {}
            for i = 1, 300 do list[i] = { key = i % 3, at = i } end
            table.sort(list, function(a, b) return a.key < b.key end)
            for _, e in ipairs(list) do out[#out + 1] = e.at end
            out[#out + 1] = tostring({}) .. tostring(print or pairs) .. string.format("%s", {})
            out[#out + 1] = tostring(coroutine.create(function() end))
            return { verdict = "allow", out = out, random = math.random == nil }
            """
        var values: Set<JSONValue> = []
        for _ in 1...3 {
            // A new zygote each: other addresses, another hash seed.
            let outcome = try await HookTesting.run(
                body, kind: .policy, manifest: "budgets: {output_bytes: 65536, wall_ms: 30000}")
            #expect(outcome.status == .ok, "\(outcome)")
            #expect(outcome.value["random"] == true)
            values.insert(outcome.value)
        }
        #expect(values.count == 1)
        let out = try #require(values.first?["out"]?.array)
        // Numbers by value, texts by bytes, then booleans.
        #expect(out[0] == "1.5" && out[1] == "2.5" && out[2] == "3")
        #expect(out[150] == "true" && out.prefix(151) == out[151..<302].prefix(151))
        let sorted = out[302..<602].compactMap(\.int)
        #expect(sorted == (1...300).sorted { ($0 % 3, $0) < ($1 % 3, $1) })
        #expect(out.suffix(2) == ["tablefunctiontable", "thread"])
    }

    @Test("a policy cannot iterate where there is no order; others can")
    func unordered() async throws {
        let body = "for k in pairs({ [{}] = 1 }) do end return { verdict = 'allow' }"
        let policy = try await HookTesting.run(body, kind: .policy)
        #expect(policy.error?.contains("others have no order") == true)
        #expect(try await HookTesting.run(body).status == .ok)
    }

    @Test("random numbers follow from the input")
    func random() async throws {
        let body = "return { math.random(1 << 40), math.random(1 << 40) }"
        let first = try await HookTesting.run(body, context: ["epoch": 1])
        let again = try await HookTesting.run(body, context: ["epoch": 1])
        let other = try await HookTesting.run(body, context: ["epoch": 2])
        #expect(first.status == .ok && first.value == again.value && first.value != other.value)
    }

    @Test("pairs, next and sort behave as Lua's own do")
    func ordinary() async throws {
        let outcome = try await HookTesting.run(
            """
            local t = { a = 1, b = 2, c = 3 }
            for k in pairs(t) do t[k] = nil end
            assert(next(t) == nil and next({ 5 }) == 1)
            local sum = 0
            for _, v in pairs(setmetatable({}, { __pairs = function()
                return ipairs({ 1, 2, 3 }) end })) do sum = sum + v end
            assert(sum == 6)
            local words = { "pear", "fig", "apple", "date", "cherry" }
            table.sort(words)
            assert(table.concat(words, " ") == "apple cherry date fig pear")
            table.sort(words, function(a, b) return #a > #b end)
            assert(words[1] == "cherry" and words[5] == "fig")
            assert(not pcall(table.sort, { 1, "x" }))
            assert(not pcall(pairs, nil))
            assert(string.format("%5.2f|%d|%q|%%", 1.5, 3, "x") == ' 1.50|3|"x"|%')
            return true
            """)
        #expect(outcome.status == .ok, "\(outcome.error ?? "")")
    }
}
