import ContinuityCore
import ContinuityHooks
import Foundation
import Logging
import Subprocess
import SystemPackage

/// What a hook costs: one process for each call, from Swift and back.
struct HookBenchmark {
    let sandboxPath: String

    private static let samples = 300
    private static let warmUp = 30
    private static let callers = 4
    private static let pause = Duration.milliseconds(2)
    private static let sustainedPerSecond = 200
    private static let sustainedSeconds = 3

    func run() async throws -> [Result] {
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let runtime = try HookRuntime(sandboxPath: sandboxPath, workers: 4, logger: logger)
        defer { runtime.shutdown() }
        let policy = try Self.policy()
        // Side by side, so that both see the same machine.
        var calls: [Double] = []
        var spawns: [Double] = []
        for sample in 0..<(Self.samples + Self.warmUp) {
            let call = try await Self.time { try await Self.invoke(runtime, policy) }
            let spawn = try await Self.time { try await Self.spawn() }
            if sample < Self.warmUp { continue }
            calls.append(call)
            spawns.append(spawn)
        }
        let call = Self.median(calls)
        var results = [
            Result(
                name: "hook: policy of 50 lines, median", value: call, unit: "µs",
                against: .init(name: "spawning sh -c true", value: Self.median(spawns)))
        ]
        results.append(try await concurrent(runtime, policy))
        results.append(try await hostCall(runtime))
        results.append(try idleMemory(runtime))
        results.append(try await killed(runtime))
        results += try await sustained(policy, logger)
        return results
    }

    // MARK: The figures

    private func concurrent(_ runtime: HookRuntime, _ policy: HookPack) async throws -> Result {
        let durations = try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<Self.callers {
                group.addTask {
                    var own: [Double] = []
                    for _ in 0..<Self.samples {
                        own.append(try await Self.time { try await Self.invoke(runtime, policy) })
                    }
                    return own
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }.sorted()
        return Result(
            name: "hook: p99 with 4 callers", value: durations[durations.count * 99 / 100],
            unit: "µs", against: .init(name: "their median", value: Self.median(durations)))
    }

    /// With a pause before each, so that the successor of the last worker is not being made just
    /// then: calls in a row are what the other figures are about.
    private func hostCall(_ runtime: HookRuntime) async throws -> Result {
        let none = try Self.check("return true")
        let one = try Self.check("assert(ctx.notify('c', { summary = 's' })) return true")
        var without: [Double] = []
        var with: [Double] = []
        for _ in 0..<Self.samples {
            try await Task.sleep(for: Self.pause)
            without.append(try await Self.time { try await Self.invoke(runtime, none) })
            try await Task.sleep(for: Self.pause)
            with.append(try await Self.time { try await Self.invoke(runtime, one) })
        }
        return Result(
            name: "hook: one brokered call on top",
            value: Self.median(with) - Self.median(without), unit: "µs",
            against: .init(name: "the budget of 60 µs", value: 60))
    }

    /// The largest private memory of a worker that waits.
    private func idleMemory(_ runtime: HookRuntime) throws -> Result {
        let parent = String(runtime.sandboxProcessID)
        let tasks = "/proc/\(parent)/task/\(parent)/children"
        let children = try String(contentsOfFile: tasks, encoding: .utf8).split(separator: " ")
        var largest = 0.0
        for child in children {
            let path = "/proc/\(child)/smaps_rollup"
            guard let rollup = try? String(contentsOfFile: path, encoding: .utf8) else { continue }
            let kibibytes = rollup.split(separator: "\n").filter { $0.hasPrefix("Private_") }
                .compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Double($0) } }
            largest = max(largest, kibibytes.reduce(0, +))
        }
        guard largest > 0 else { throw BenchmarkFailure(message: "no idle worker was found") }
        return Result(
            name: "hook: idle worker, private memory", value: largest, unit: "KiB",
            against: .init(name: "the budget of 2 MiB", value: 2048))
    }

    /// From the wall deadline until the outcome is there: the worker is gone then.
    private func killed(_ runtime: HookRuntime) async throws -> Result {
        let bomb = try Self.check(
            "return string.find(string.rep('a', 40), string.rep('a*', 20) .. 'b')",
            budgets: "{wall_ms: 50, cpu_ms: 10000}")
        var late: [Double] = []
        for _ in 0..<20 {
            let outcome = await runtime.invoke(
                HookInvocation(pack: bomb, stage: .preCheck, context: [:]),
                broker: RecordingBroker())
            guard outcome.limit == "wall" else {
                throw BenchmarkFailure(message: "the spinning hook ended otherwise")
            }
            late.append(Double(outcome.usage.wallUs) - 50_000)
        }
        return Result(
            name: "hook: spinning worker gone after deadline", value: Self.median(late),
            unit: "µs", against: .init(name: "the budget of 5 ms", value: 5000))
    }

    /// One caller at a fixed rate, with this process and the sandbox on one core. The first value
    /// is how many of the calls a second came back in time for the next.
    private func sustained(_ policy: HookPack, _ logger: Logger) async throws -> [Result] {
        let processors = try await CoreAffinity.current()
        try await CoreAffinity.set(processors.first)
        let runtime = try HookRuntime(sandboxPath: sandboxPath, workers: 2, logger: logger)
        defer { runtime.shutdown() }
        // The pool fills once; what counts is how it keeps up.
        try await Task.sleep(for: .milliseconds(100))
        let count = Self.sustainedPerSecond * Self.sustainedSeconds
        let pause = Duration.microseconds(1_000_000 / Self.sustainedPerSecond)
        let start = ContinuousClock.now
        for number in 1...count {
            try await Self.invoke(runtime, policy)
            try await Task.sleep(until: start + pause * number)
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        let times = runtime.poolTimes
        try await CoreAffinity.set(processors.all)
        return [
            Result(
                name: "hook: calls a second on one core, sustained",
                value: Double(count) / seconds, unit: "/s",
                against: .init(name: "the rate that was asked for", value: 200)),
            Result(
                name: "hook: pool empty, at longest", value: Double(times.longestEmptyNs) / 1000,
                unit: "µs",
                against: .init(
                    name: "the longest fork", value: Double(times.refillsNs.max() ?? 0) / 1000)),
        ]
    }

    // MARK: Parts

    private static func invoke(_ runtime: HookRuntime, _ pack: HookPack) async throws {
        let outcome = await runtime.invoke(
            HookInvocation(
                pack: pack, stage: pack.manifest.stages[0], context: context,
                grant: pack.manifest.capabilities.fullGrant),
            broker: RecordingBroker())
        guard outcome.status == .ok else {
            throw BenchmarkFailure(
                message: "the hook ended \(outcome.status.rawValue): \(outcome.error ?? "")")
        }
    }

    private static func spawn() async throws {
        _ = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", "true"], output: .discarded)
    }

    private static func time(_ body: () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        try await body()
        return start.duration(to: .now) / .microseconds(1)
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static let context: JSONValue = [
        "api": "hooks/v1", "stage": "admit", "now_ms": 1_700_000_000_000, "epoch": 7,
        "cluster": ["cluster_id": "orders", "state": "DEGRADED", "primary_node_id": "db-1"],
        "nodes": .array(
            (1...3).map { number in
                [
                    "node_id": .string("db-\(number)"), "region": .string("region-\(number % 2)"),
                    "lag_ms": .int(Int64(number) * 40), "capacity": 100, "role": "secondary",
                ]
            }),
    ]

    private static func check(_ body: String, budgets: String = "{}") throws -> HookPack {
        try HookPack(
            folder: "/nowhere",
            manifestText: """
                {api: hooks/v1, name: check, version: 1.0.0, kind: check, stages: [pre_check],
                 capabilities: {notify: {channels: [c]}}, budgets: \(budgets)}
                """,
            manifestFile: "hook.yaml",
            script: "return { pre_check = function(ctx, conf) \(body) end }")
    }

    /// 50 lines: a score for each node from a few rules.
    private static func policy() throws -> HookPack {
        let rules = (1...9).map { number in
            """
            rules[\(number)] = function(node)
                local weight = node.capacity - \(number) * (node.lag_ms // 10)
                return weight > 0 and weight or 0
            end
            """
        }
        let script = """
            local rules = {}
            \(rules.joined(separator: "\n"))
            return {
                admit = function(ctx, conf)
                    local best, score = nil, -1
                    for _, node in ipairs(ctx.nodes) do
                        local sum = 0
                        for _, rule in ipairs(rules) do sum = sum + rule(node) end
                        if sum > score then best, score = node.node_id, sum end
                    end
                    local reason = string.format("%s scores %d", best, score)
                    return { verdict = score > 0 and "allow" or "deny", reason = reason }
                end,
            }
            """
        return try HookPack(
            folder: "/nowhere",
            manifestText: """
                {api: hooks/v1, name: policy, version: 1.0.0, kind: policy, stages: [admit]}
                """,
            manifestFile: "hook.yaml", script: script)
    }
}

/// Why there is no figure.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}
