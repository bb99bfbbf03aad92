import ContinuityCore
import Foundation
import Testing

@testable import ContinuityHooks

/// A hostile script of `Attacks/`, with what its first lines say about it.
struct Attack: Sendable, CustomTestStringConvertible {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "Attacks")

    let name: String
    let script: String
    /// `expect: STATUS [LIMIT|LIMIT… or a part of the error]`
    let status: HookOutcome.Status
    let detail: String
    private let headers: [String: String]

    var testDescription: String { name }
    var kind: HookKind { headers["kind"].flatMap(HookKind.init(rawValue:)) ?? .check }
    var stage: Stage { kind == .policy ? .admit : .preCheck }

    /// The times are ample, so that a slow or busy machine gives the same verdicts: what ends an
    /// attack is what it does. Only where the processor's timer is what must end it, that is short.
    private static let budgets = [
        "wall_ms": "60000", "cpu_ms": "10000", "memory_bytes": "4194304",
        "instructions": "2000000", "output_bytes": "16384", "host_calls": "4", "log_bytes": "4096",
    ]
    private static let shortCpuMs = "300"

    init(file: URL) throws {
        name = file.deletingPathExtension().lastPathComponent
        let text = try String(contentsOf: file, encoding: .utf8)
        var found: [String: String] = [:]
        for line in text.split(separator: "\n").prefix(6) where line.hasPrefix("-- ") {
            let parts = line.dropFirst(3).split(separator: ": ", maxSplits: 1)
            if parts.count == 2 { found[String(parts[0])] = String(parts[1]) }
        }
        headers = found
        script = found["prefix"] == "bytecode" ? "\u{1B}Lua\u{54}\n" + text : text
        let words = (found["expect"] ?? "").split(separator: " ", maxSplits: 1)
        status = try #require(
            words.first.flatMap { HookOutcome.Status(rawValue: String($0)) },
            "\(name).lua says 'expect: STATUS …' in its first lines")
        detail = words.count > 1 ? String(words[1]) : ""
    }

    static let all: [Attack] = {
        let files =
            (try? FileManager.default.contentsOfDirectory(
                at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "lua" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .compactMap { try? Attack(file: $0) }
    }()

    /// Those of all attacks, with what the file itself says.
    var budgets: [String: String] {
        var budgets = Self.budgets
        if status == .limit, detail.split(separator: "|").contains("cpu") {
            budgets["cpu_ms"] = Self.shortCpuMs
        }
        for pair in (headers["budgets"] ?? "").split(separator: ", ") {
            let parts = pair.split(separator: ": ")
            budgets[String(parts[0])] = String(parts[1])
        }
        return budgets
    }

    /// In microseconds.
    var cpuUs: Int64 { (budgets["cpu_ms"].flatMap { Int64($0) } ?? 0) * 1000 }

    func pack() throws -> HookPack {
        let lines = budgets.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }
        let capabilities =
            kind == .policy ? "" : "capabilities: {notify: {channels: [c, secret]}}"
        return try HookPack(
            folder: "/nowhere",
            manifestText: """
                api: hooks/v1
                name: attack
                version: 1.0.0
                kind: \(kind.rawValue)
                stages: [\(stage.rawValue)]
                \(capabilities)
                budgets:
                \(lines.joined(separator: "\n"))
                """,
            manifestFile: "hook.yaml", script: script)
    }

    func run(in runtime: HookRuntime) async throws -> HookOutcome {
        let grant = HookGrant(notifyChannels: headers["grant"].map { [$0] } ?? [])
        return await runtime.invoke(
            HookInvocation(pack: try pack(), stage: stage, context: ["epoch": 1], grant: grant),
            broker: RecordingBroker())
    }

    /// Whether the outcome is what the file says.
    func isMet(by outcome: HookOutcome) -> Bool {
        guard outcome.status == status else { return false }
        switch status {
        case .limit: return detail.split(separator: "|").contains { outcome.limit == String($0) }
        case .ok: return outcome.error == nil
        default: return detail.isEmpty || outcome.error?.contains(detail) == true
        }
    }
}

@Suite("Attacks on the sandbox", .serialized)
struct AttackTests {
    /// For the end of a process with its memory. Processor time, so it does not wait for others.
    static let graceUs: Int64 = 100_000

    @Test("there are enough of them, and each says what is expected")
    func count() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Attack.folder.path)
            .filter { $0.hasSuffix(".lua") }
        #expect(files.count == Attack.all.count, "a file in Attacks has no 'expect' line")
        #expect(Attack.all.count { !$0.name.hasPrefix("control-") } >= 60)
        #expect(Attack.all.count { $0.name.hasPrefix("control-") } >= 5)
    }

    @Test("ends in time, as expected, and leaves the next one alone", arguments: Attack.all)
    func attack(_ attack: Attack) async throws {
        let runtime = try HookTesting.runtime(workers: 1)
        defer { runtime.shutdown() }
        let outcome = try await attack.run(in: runtime)
        #expect(attack.isMet(by: outcome), "\(outcome)")
        // The processor's timer stands, whatever else ends it. The wall deadline has tests of its
        // own (`LimitTests`): how late a killed process is seen to end is the machine's matter.
        #expect(outcome.usage.cpuUs <= attack.cpuUs + Self.graceUs, "\(outcome)")
        if outcome.limit == "cpu" {
            #expect(outcome.usage.cpuUs >= attack.cpuUs / 2, "\(outcome)")
        }
        let memory = attack.budgets["memory_bytes"].flatMap { Int64($0) } ?? 0
        #expect(outcome.usage.memoryBytes <= memory, "\(outcome)")
        let next = await HookTesting.run(
            runtime, try HookTesting.pack("return { leak = leaked == nil, n = #('abc') }"))
        #expect(next.value == ["leak": true, "n": 3], "\(next)")
    }
}
