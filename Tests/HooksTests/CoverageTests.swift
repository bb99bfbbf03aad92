import ContinuityCore
import Testing

@testable import ContinuityHooks

@Suite("Line coverage of hooks")
struct CoverageTests {
    static let script = """
        -- a comment
        local function never(x)
            local y = x + 1
            return function() return y end
        end

        local function twice(x)
            if x > 10 then
                return never(x)
            end
            return 2 * x
        end

        return {
            pre_check = function(ctx, conf)
                local worker = coroutine.wrap(function()
                    return twice(2)
                end)
                return { n = worker() }
            end,
        }
        """

    private func pack(
        _ script: String, budgets: String = "{wall_ms: 60000, cpu_ms: 10000, instructions: 1000000}"
    ) throws -> HookPack {
        try HookPack(
            folder: "/nowhere",
            manifestText: """
                {api: hooks/v1, name: probe, version: 1.0.0, kind: check, stages: [pre_check],
                budgets: \(budgets)}
                """, manifestFile: "hook.yaml", script: script)
    }

    @Test("lines of functions that nothing called are active, and not executed")
    func lines() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let invocation = HookInvocation(
            pack: try pack(Self.script), stage: .preCheck, context: [:])
        let (outcome, coverage) = await runtime.invokeWithCoverage(
            invocation, broker: RecordingBroker())
        #expect(outcome.value == ["n": 4], "\(outcome)")
        #expect(coverage.active == [3, 4, 5, 8, 9, 11, 12, 14, 16, 17, 18, 19, 20, 21])
        #expect(coverage.executed == [5, 8, 11, 12, 14, 16, 17, 18, 19, 20, 21])
        // The count is the same with and without.
        let plain = await runtime.invoke(invocation, broker: RecordingBroker())
        #expect(plain.usage.instructions == outcome.usage.instructions)
        #expect(plain.value == outcome.value)
    }

    @Test("a script that ends at a limit or with an error still tells its lines")
    func ends() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        for (body, status) in [
            ("while true do end", HookOutcome.Status.limit), ("error('x')", .error),
        ] {
            let script = "return { pre_check = function()\n\(body)\nend }"
            let (outcome, coverage) = await runtime.invokeWithCoverage(
                HookInvocation(pack: try pack(script), stage: .preCheck, context: [:]),
                broker: RecordingBroker())
            #expect(outcome.status == status)
            #expect(coverage.executed.contains(2), "\(coverage)")
        }
        let (outcome, coverage) = await runtime.invokeWithCoverage(
            HookInvocation(pack: try pack("not Lua"), stage: .preCheck, context: [:]),
            broker: RecordingBroker())
        #expect(outcome.status == .error && coverage.active.isEmpty)
    }

    @Test(
        "what ends a script from outside takes nothing of its lines and logs",
        arguments: [
            ("cpu", "{cpu_ms: 50, wall_ms: 60000}"), ("wall", "{cpu_ms: 10000, wall_ms: 400}"),
        ])
    func killed(limit: String, budgets: String) async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let script = """
            return { pre_check = function(ctx)
                ctx.log("begun")
                if ctx.api then
                    ctx.log("never")
                end
                \(LimitTests.patternBomb)
            end }
            """
        let (outcome, coverage) = await runtime.invokeWithCoverage(
            HookInvocation(
                pack: try pack(script, budgets: budgets), stage: .preCheck, context: [:]),
            broker: RecordingBroker())
        #expect(outcome.status == .limit && outcome.limit == limit, "\(outcome)")
        #expect(outcome.logs == ["begun"])
        #expect(coverage.active == [1, 2, 3, 4, 6, 7] && coverage.executed == [1, 2, 3, 6, 7])
        // Such an end may not come elsewhere, and the outcome says so.
        #expect(outcome.error?.contains("depends on the machine's speed") == true, "\(outcome)")
    }

    @Test("a script of many lines, far apart")
    func large() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let gap = String(repeating: "\n", count: 5000)
        let script =
            "local x = 1\(gap)x = 2\(gap)return { pre_check = function() return { x = x } end }"
        let (outcome, coverage) = await runtime.invokeWithCoverage(
            HookInvocation(pack: try pack(script), stage: .preCheck, context: [:]),
            broker: RecordingBroker())
        #expect(outcome.value == ["x": 2], "\(outcome)")
        #expect(coverage.active == [1, 5001, 10001] && coverage.executed == coverage.active)
    }
}
