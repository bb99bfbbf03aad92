import ContinuityCore
import Testing

@testable import ContinuityHooks

@Suite("Hook budgets")
struct LimitTests {
    static let tight = """
        budgets:
          wall_ms: 30000
          cpu_ms: 2000
          instructions: 200000
          memory_bytes: 1048576
          output_bytes: 1024
          log_bytes: 256
        """

    @Test(
        "an endless loop ends at the instruction budget, wherever it hides",
        arguments: [
            "while true do end",
            "pcall(function() while true do end end) return true",
            "while true do pcall(error, 'x') end",
            "local co = coroutine.create(function() while true do end end) coroutine.resume(co)",
            "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
            // Each coroutine is shorter than a step of the count hook.
            "while true do coroutine.wrap(function() for i = 1, 300 do end end)() end",
            "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) while true do pcall(function() return t[1] end) end",
            "local function f() return f() end f()",
            "xpcall(error, function() while true do end end)",
            "table.sort({ 3, 2, 1 }, function() while true do end end)",
        ])
    func instructions(body: String) async throws {
        let outcome = try await HookTesting.run(body, manifest: Self.tight)
        #expect(outcome.status == .limit && outcome.limit == "instructions", "\(outcome)")
        #expect(outcome.usage.instructions > 200_000)
    }

    @Test(
        "growth ends at the memory budget, and pcall does not see it",
        arguments: [
            "string.rep('x', 1 << 30)",
            "pcall(string.rep, 'x', 1 << 30) return true",
            "pcall(function() local t = {} for i = 1, 1 << 30 do t[i] = i end end) return true",
            "local t = {} while true do t = { t } end",
            "local s = 'x' while true do s = s .. s end",
            "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
            "pcall(function() local function f() return 1 + f() end f() end) local t = {} for i = 1, 1e9 do t[#t + 1] = {} end",
            "table.concat({ string.rep('x', 600000), string.rep('y', 600000) })",
        ])
    func memory(body: String) async throws {
        let outcome = try await HookTesting.run(
            body,
            manifest:
                "budgets: {memory_bytes: 1048576, instructions: 100000000, cpu_ms: 5000, wall_ms: 30000}"
        )
        #expect(outcome.status == .limit && outcome.limit == "memory", "\(outcome)")
        #expect(outcome.usage.memoryBytes <= 1 << 20)
    }

    /// One C call that the instruction count never interrupts.
    static let patternBomb = "return string.find(string.rep('a', 40), string.rep('a*', 20) .. 'b')"

    @Test("a C call that never ends is killed at the wall deadline")
    func wall() async throws {
        let outcome = try await HookTesting.run(
            Self.patternBomb, manifest: "budgets: {wall_ms: 100, cpu_ms: 10000}")
        #expect(outcome.status == .limit && outcome.limit == "wall", "\(outcome)")
        #expect(outcome.usage.wallUs >= 100_000 && outcome.usage.wallUs < 20_000_000)
        #expect(outcome.usage.cpuUs > 0)
    }

    @Test("the binding's timeout shortens the wall budget")
    func timeout() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let outcome = await runtime.invoke(
            HookInvocation(
                pack: try HookTesting.pack(
                    Self.patternBomb, manifest: "budgets: {wall_ms: 60000, cpu_ms: 10000}"),
                stage: .preCheck, context: [:], timeoutMs: 50),
            broker: RecordingBroker())
        #expect(outcome.limit == "wall")
    }

    @Test("processor time has its own limit")
    func cpu() async throws {
        let outcome = try await HookTesting.run(
            Self.patternBomb, manifest: "budgets: {wall_ms: 30000, cpu_ms: 50}")
        #expect(outcome.status == .limit && outcome.limit == "cpu", "\(outcome)")
    }

    @Test(
        "a result larger than the output budget is a limit",
        arguments: [
            "return { x = string.rep('x', 2000) }",
            // Small in Lua, exponential as JSON.
            "local t = {} for i = 1, 28 do t = { t, t } end return t",
            "pcall(ctx.notify, 'c', { summary = string.rep('x', 2000) }) return true",
        ])
    func output(body: String) async throws {
        let outcome = try await HookTesting.run(body, manifest: Self.tight)
        #expect(outcome.status == .limit && outcome.limit == "output", "\(outcome)")
    }

    @Test("log lines up to the budget are kept, and the next one is a limit")
    func logs() async throws {
        let outcome = try await HookTesting.run(
            "for i = 1, 1000 do pcall(ctx.log, 'line', i) end return true", manifest: Self.tight)
        #expect(outcome.status == .limit && outcome.limit == "log", "\(outcome)")
        #expect(outcome.logs.first == "line 1")
        #expect(outcome.logs.reduce(0) { $0 + $1.utf8.count } <= 256)
    }

    @Test("the next invocation is unaffected by the failure before it")
    func unaffected() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let good = try HookTesting.pack("return { 1 }")
        for body in [
            "while true do end", "string.rep('x', 1 << 40)", Self.patternBomb, "error('x')",
            "return nil, 'x'", "return { x = string.rep('x', 2000) }",
        ] {
            let manifest = """
                budgets: {wall_ms: 300, cpu_ms: 5000, instructions: 100000, output_bytes: 256}
                """
            let bad = await HookTesting.run(
                runtime, try HookTesting.pack(body, manifest: manifest))
            #expect(bad.status != .ok)
            #expect(await HookTesting.run(runtime, good).value == [1])
        }
    }
}
