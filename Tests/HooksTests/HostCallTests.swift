import ContinuityCore
import Testing

@testable import ContinuityHooks

@Suite("Host calls")
struct HostCallTests {
    static let wants = "capabilities: {notify: {channels: [oncall, ops]}}"

    @Test("an answer with a NUL in a key is a failed call, and the worker lives")
    func nulInKey() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = RecordingBroker(replies: [.ok(["list": [["a\u{0}b": 1]]]), .ok(["id": "x"])])
        let outcome = await HookTesting.run(
            runtime,
            try HookTesting.pack(
                """
                local message = { summary = "x" }
                local first, problem, code = ctx.notify("oncall", message)
                return { first = first or "none", problem = problem, code = code,
                    second = ctx.notify("oncall", message) }
                """, kind: .action, manifest: Self.wants),
            grant: HookGrant(notifyChannels: ["oncall"]), broker: broker)
        #expect(outcome.status == .ok, "\(outcome)")
        #expect(outcome.value["code"] == "bad_response" && outcome.value["first"] == "none")
        #expect(outcome.value["problem"]?.string?.contains("NUL") == true)
        #expect(outcome.value["second"] == ["id": "x"])
        // Nor does one in the context kill it.
        let input = await HookTesting.run(
            runtime, try HookTesting.pack("return true"), context: ["m": ["a\u{0}": 1]])
        #expect(input.status == .error && input.error?.contains("NUL") == true, "\(input)")
    }

    @Test("a granted notification reaches the broker and the record")
    func granted() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = RecordingBroker(replies: [.ok(["id": "a1"])])
        let outcome = await HookTesting.run(
            runtime,
            try HookTesting.pack(
                """
                local receipt = ctx.notify("oncall", { summary = "moved", severity = "warning" })
                local plain = ctx.notify("oncall", { summary = "again", data = { n = 1 } })
                return { receipt = receipt, plain = plain }
                """, kind: .action, manifest: Self.wants),
            grant: HookGrant(notifyChannels: ["oncall"]), broker: broker)
        #expect(outcome.status == .ok, "\(outcome)")
        #expect(outcome.value == ["receipt": ["id": "a1"], "plain": true])
        let first: JSONValue = [
            "channel": "oncall", "summary": "moved", "severity": "warning", "data": [:],
        ]
        let calls = broker.calls
        #expect(calls.map(\.name) == ["notify", "notify"] && calls.map(\.sequence) == [1, 2])
        #expect(calls.first?.arguments == first && calls.allSatisfy(\.isEffect))
        #expect(
            outcome.effects.first == [
                "call": "notify", "args": first, "reply": ["ok": true, "value": ["id": "a1"]],
            ])
    }

    @Test(
        "a call that is not granted never reaches the broker",
        arguments: [
            ("oncall", []), ("other", ["other"]), ("ops", ["oncall"]),
        ] as [(String, [String])])
    func denied(channel: String, grant: [String]) async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = RecordingBroker()
        let outcome = await HookTesting.run(
            runtime,
            try HookTesting.pack(
                """
                local ok, message, code = ctx.notify("\(channel)", { summary = "x" })
                return nil, code
                """, kind: .action, manifest: Self.wants),
            grant: HookGrant(notifyChannels: Set(grant)), broker: broker)
        #expect(outcome.status == .denied)
        #expect(outcome.error == "the channel '\(channel)' is not granted to 'probe'\ndenied")
        #expect(broker.calls.isEmpty && outcome.effects.isEmpty)
    }

    @Test("a hook that copes with a denial is ok")
    func denialHandled() async throws {
        let outcome = try await HookTesting.run(
            "local ok, m, code = ctx.notify('x', { summary = 's' }) return { code = code }")
        #expect(outcome.status == .ok && outcome.value == ["code": "denied"])
    }

    @Test(
        "messages are checked on this side",
        arguments: [
            ("{}", "'summary' must be"),
            ("{ summary = 's', severity = 'loud' }", "'severity' must"),
            ("{ summary = 's', to = 'x' }", "unknown field 'to'"),
            ("{ summary = 's', data = { 1 } }", "'data' must be a table with text keys"),
        ])
    func invalid(message: String, expected: String) async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let broker = RecordingBroker()
        let outcome = await HookTesting.run(
            runtime,
            try HookTesting.pack(
                "local _, m, code = ctx.notify('ops', \(message)) return nil, code .. ': ' .. m",
                kind: .action, manifest: Self.wants),
            grant: HookGrant(notifyChannels: ["ops"]), broker: broker)
        #expect(outcome.status == .failed)
        #expect(outcome.error?.hasPrefix("invalid: notify: ") == true)
        #expect(outcome.error?.contains(expected) == true, "\(outcome.error ?? "")")
        #expect(broker.calls.isEmpty)
    }

    @Test("more calls than the budget allows are a limit")
    func tooMany() async throws {
        let outcome = try await HookTesting.run(
            "while true do ctx.notify('x', { summary = 's' }) end",
            manifest: "budgets: {host_calls: 3, wall_ms: 30000}")
        #expect(outcome.status == .limit && outcome.limit == "host_calls")
    }

    @Test("a broker that never answers ends at the wall deadline, and the effect is in doubt")
    func silentBroker() async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let outcome = await HookTesting.run(
            runtime,
            try HookTesting.pack(
                "ctx.notify('ops', { summary = 's' }) return true", kind: .action,
                manifest: Self.wants + "\nbudgets: {wall_ms: 100}"),
            grant: HookGrant(notifyChannels: ["ops"]), broker: WaitingBroker())
        #expect(outcome.status == .limit && outcome.limit == "wall")
        #expect(outcome.effects.count == 1)
        #expect(outcome.effects.first?["reply"]?["code"] == "in_doubt")
    }
}
