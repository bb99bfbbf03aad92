import ContinuityCore
import Testing

@testable import ContinuityHooks

@Suite("Determinism of policies")
struct DeterminismTests {
    /// Everything that differs from process to process in plain Lua.
    static let body = """
        local out = {}
        local function add(...) out[#out + 1] = table.concat({ ... }, " ") end
        -- Hash seeds: texts, short and long, in an order that depends on them.
        local set = {}
        for i = 1, 200 do set["k" .. i * 7919 % 997] = i; set[string.rep("l", 50) .. i] = i end
        for key, value in pairs(set) do add(key, value) end
        for key in next, set do add(key) end
        -- Comparisons that contradict themselves.
        for _, order in ipairs({
            function() return true end, function() return false end,
            function(x, y) return x % 3 <= y % 3 end, function(x, y) return (x * y) % 7 < 3 end,
        }) do
            local list = {}
            for i = 1, 100 do list[i] = i * 31 % 101 end
            table.sort(list, order)
            add(table.unpack(list))
        end
        -- Addresses.
        for _, value in ipairs({ {}, print or pairs, coroutine.create(error), ctx.log, string.format }) do
            add(tostring(value), string.format("%s", value), select(2, pcall(error, tostring(value))))
        end
        add(select(2, pcall(function() return {} .. "x" end)))
        add(select(2, pcall(function() return #coroutine.running() end)))
        add(select(2, pcall(function() return {} < {} end)))
        -- No chance, no clock.
        add(tostring(math.random), tostring(math.randomseed), tostring(os), tostring(ctx.now))
        for _, number in ipairs({ 0.1, 1e300, -0.0, 2 ^ 53, 1 / 3 }) do add(tostring(number)) end
        ctx.log({}, pairs, coroutine.create(error))
        return { verdict = "allow", reason = table.concat(out, "\\n") }
        """

    @Test("the same script and input give the same bytes in every process")
    func same() async throws {
        var bytes: Set<[UInt8]> = []
        for _ in 1...6 {
            // A new zygote each: other addresses, another hash seed.
            let outcome = try await HookTesting.run(
                Self.body, kind: .policy,
                manifest: "budgets: {output_bytes: 262144, wall_ms: 30000, cpu_ms: 5000}")
            #expect(outcome.status == .ok, "\(outcome)")
            bytes.insert(
                CanonicalJSON.bytes([
                    "value": outcome.value, "logs": .array(outcome.logs.map { .string($0) }),
                    "instructions": .int(outcome.usage.instructions),
                ]))
            #expect(outcome.value["reason"]?.string?.contains("0x") == false)
        }
        #expect(bytes.count == 1)
    }

    /// Each names what a policy cannot look at, in a table whose order is that of addresses.
    @Test(
        "a caught error does not tell where Lua keeps the keys of a table",
        arguments: [
            "pcall(pairs, t)", "pcall(next, t)", "pcall(next, t, 1)", "pcall(next, { [t] = 1 }, t)",
            "pcall(function() for _ in pairs(t) do end end)",
        ])
    func caughtErrors(call: String) async throws {
        var reasons: Set<String> = []
        for _ in 1...12 {
            let outcome = try await HookTesting.run(
                """
                local t = { 1, [{}] = 1, [function() end] = 2, [coroutine.create(error)] = 3,
                    [ctx.log] = 4, [{}] = 5 }
                local _, problem = \(call)
                return { verdict = "allow", reason = tostring(problem) }
                """, kind: .policy)
            reasons.insert(try #require(outcome.value["reason"]?.string, "\(outcome)"))
        }
        #expect(reasons.count == 1, "\(reasons)")
        #expect(reasons.allSatisfy { $0.contains("have no order") }, "\(reasons)")
    }

    @Test(
        "of several unfit members the outcome names the first in order, and none before the limit")
    func unfitMembers() async throws {
        for (table, expected) in [
            ("{ verdict = 'allow', b = 0.5, a = 1.5, c = error }", "the returned table.a is not"),
            (
                "{ b = '\\xff', ['a\\xff'] = 1, c = { d = 0.5 } }",
                "the returned table.a\u{FFFD} is not"
            ),
            ("{ z = 1, [1] = 2, [true] = 3, [{}] = 4 }", "the returned table has keys"),
        ] {
            var errors: Set<String> = []
            for _ in 1...8 {
                let outcome = try await HookTesting.run("return \(table)", kind: .policy)
                #expect(outcome.status == .error, "\(outcome)")
                errors.insert(try #require(outcome.error))
            }
            #expect(errors.count == 1 && errors.first?.contains(expected) == true, "\(errors)")
        }
        // Unfit, or too long: the members are written in order, so the first of the two decides.
        for (table, status) in [
            ("{ a = string.rep('x', 4096), b = 0.5 }", HookOutcome.Status.limit),
            ("{ a = 0.5, b = string.rep('x', 4096) }", .error),
        ] {
            for _ in 1...6 {
                let outcome = try await HookTesting.run(
                    "return \(table)", kind: .policy,
                    manifest: "budgets: {output_bytes: 1024, wall_ms: 30000, cpu_ms: 5000}")
                #expect(outcome.status == status, "\(outcome)")
            }
        }
    }

    @Test("an error of a policy is the same in every process, its traceback too")
    func errors() async throws {
        var errors: Set<String> = []
        for _ in 1...3 {
            let outcome = try await HookTesting.run(
                "local t = {} pcall(next, t) error(tostring(t) .. tostring(ctx.log))",
                kind: .policy)
            errors.insert(try #require(outcome.error))
        }
        #expect(errors.count == 1)
        #expect(errors.allSatisfy { !$0.contains("0x") }, "\(errors)")
    }
}
