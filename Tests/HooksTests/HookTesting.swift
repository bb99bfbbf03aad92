import ContinuityCore
import Foundation
import Glibc
import Logging
import Testing

@testable import ContinuityHooks

/// Small packs from a script text, and their invocation in a real sandbox.
enum HookTesting {
    static func runtime(workers: Int = 2) throws -> HookRuntime {
        try HookRuntime(
            sandboxPath: HookRuntime.defaultSandboxPath(), workers: workers,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Budgets that a busy machine does not exhaust: most tests are not about time.
    static let ampleTime = "budgets: {wall_ms: 30000, cpu_ms: 5000}"

    /// A pack around the body of one function with the parameters `ctx` and `conf`.
    static func pack(
        _ body: String, kind: HookKind = .check, manifest: String = ""
    ) throws -> HookPack {
        let stage: Stage = kind == .policy ? .admit : .preCheck
        let manifest =
            manifest.contains("budgets:") ? manifest : manifest + "\n" + ampleTime
        return try HookPack(
            folder: "/nowhere",
            manifestText: """
                api: hooks/v1
                name: probe
                version: 1.0.0
                kind: \(kind.rawValue)
                stages: [\(stage.rawValue)]
                \(manifest)
                """,
            manifestFile: "hook.yaml",
            script: "return { \(stage.rawValue) = function(ctx, conf)\n\(body)\nend }")
    }

    static func run(
        _ runtime: HookRuntime, _ pack: HookPack, context: JSONValue = [:],
        configuration: [String: JSONValue] = [:], grant: HookGrant = HookGrant(),
        broker: any HookBroker = RecordingBroker()
    ) async -> HookOutcome {
        await runtime.invoke(
            HookInvocation(
                pack: pack, stage: pack.manifest.stages[0], context: context,
                configuration: configuration, grant: grant),
            broker: broker)
    }

    /// Runs one body in a sandbox of its own.
    static func run(
        _ body: String, kind: HookKind = .check, manifest: String = "", context: JSONValue = [:]
    ) async throws -> HookOutcome {
        let runtime = try runtime(workers: 1)
        defer { runtime.shutdown() }
        return await run(runtime, try pack(body, kind: kind, manifest: manifest), context: context)
    }

    /// The sandbox's living workers.
    static func workers(of runtime: HookRuntime) -> [pid_t] {
        let parent = String(runtime.sandboxProcessID)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap(pid_t.init).filter { process in
            guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let afterName = stat.split(separator: ")").last
            else { return false }
            let fields = afterName.split(separator: " ")
            return fields.count > 1 && fields[0] != "Z" && fields[1] == parent
        }
    }
}

/// A broker that answers only once it is told to, or never.
final class WaitingBroker: HookBroker {
    private let asked: AsyncStream<HookHostCall>
    private let askedEnd: AsyncStream<HookHostCall>.Continuation
    private let released: AsyncStream<Void>
    private let releasedEnd: AsyncStream<Void>.Continuation

    init() {
        (asked, askedEnd) = AsyncStream.makeStream()
        (released, releasedEnd) = AsyncStream.makeStream()
    }

    func perform(_ call: HookHostCall) async -> HookHostReply {
        askedEnd.yield(call)
        for await _ in released { break }
        return .ok(true)
    }

    func nextCall() async -> HookHostCall? {
        var calls = asked.makeAsyncIterator()
        return await calls.next()
    }

    func release() { releasedEnd.yield() }
}
