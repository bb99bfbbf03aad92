import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation

struct HooksRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one function of a script or a pack in the sandbox. Nothing outside happens.",
        discussion: """
            The input is the JSON of 'ctx', or {"ctx": …, "conf": …}. A bare .lua file has the \
            default budgets and no capabilities; a pack has its own, and every effect is recorded \
            and answered as if it had been done.

            Exit codes: 0 ok; 10 failed; 11 error; 12 limit; 13 denied; 14 crash.
            """)

    @Argument(help: "A pack's folder, or a .lua file.")
    var script: String

    @Option(help: "The function: a stage, or for a bare file any name.")
    var entry: String

    @Option(help: "A JSON file; - reads standard input. Default: an empty object.")
    var input: String?

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var sandbox: HookSandboxOptions

    func run() async throws {
        try await reporting {
            let (context, configuration) = try readInput()
            let invocation = try self.invocation(context, configuration)
            let outcome = try await sandbox.withRuntime {
                await $0.invoke(invocation, broker: RecordingBroker())
            }
            let report = Self.report(outcome)
            if json {
                printDocument(String(decoding: CanonicalJSON.bytes(report), as: UTF8.self))
            } else {
                show(outcome)
            }
            if let code = Self.exitCode(outcome.status) { throw code }
        }
    }

    private func invocation(
        _ context: JSONValue, _ configuration: [String: JSONValue]
    ) throws -> HookInvocation {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: script, isDirectory: &isFolder)
        guard exists, isFolder.boolValue else {
            let pack = try HookPack.bare(
                script: script, entry: entry, ceiling: sandbox.ceiling())
            return HookInvocation(
                pack: pack, stage: pack.manifest.stages[0], context: context,
                configuration: [:], function: entry)
        }
        let pack = try HookPack.load(folder: script, ceiling: sandbox.ceiling())
        guard let stage = Stage(rawValue: entry), pack.manifest.stages.contains(stage) else {
            throw ValidationError(
                "'\(pack.manifest.name)' has no stage '\(entry)'; it has: "
                    + pack.manifest.stages.map(\.rawValue).joined(separator: ", ") + ".")
        }
        return HookInvocation(
            pack: pack, stage: stage, context: context, configuration: configuration,
            grant: pack.manifest.capabilities.fullGrant)
    }

    private func readInput() throws -> (JSONValue, [String: JSONValue]) {
        guard let input else { return ([:], [:]) }
        let data: Data
        do {
            data =
                input == "-"
                ? try FileHandle.standardInput.readToEnd() ?? Data()
                : try Data(contentsOf: URL(fileURLWithPath: input))
        } catch {
            throw ConfigError(
                file: input, line: nil, message: "cannot be read", remedy: "check the path")
        }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: data),
            let members = value.object
        else {
            throw ConfigError(
                file: input, line: nil,
                message: "is not a JSON object of texts, whole numbers, "
                    + "flags, lists and objects",
                remedy: "write the members of 'ctx'")
        }
        let keys = Set(members.keys)
        guard !keys.isEmpty, keys.isSubset(of: ["ctx", "context", "conf", "config"]) else {
            return (value, [:])
        }
        return (
            members["ctx"] ?? members["context"] ?? [:],
            (members["conf"] ?? members["config"])?.object ?? [:]
        )
    }

    private static func report(_ outcome: HookOutcome) -> JSONValue {
        [
            "status": .string(outcome.status.rawValue),
            "limit": outcome.limit.map { .string($0) } ?? .null,
            "value": outcome.value,
            "error": outcome.error.map { .string($0) } ?? .null,
            "logs": .array(outcome.logs.map { .string($0) }),
            "effects": .array(outcome.effects),
            "usage": [
                "instructions": .int(outcome.usage.instructions),
                "memory_bytes": .int(outcome.usage.memoryBytes),
                "cpu_us": .int(outcome.usage.cpuUs),
                "wall_us": .int(outcome.usage.wallUs),
            ],
        ]
    }

    private func show(_ outcome: HookOutcome) {
        func text(_ value: JSONValue) -> String {
            SafeText.json(String(decoding: CanonicalJSON.bytes(value), as: UTF8.self))
        }
        print("status  \(outcome.status.rawValue)" + (outcome.limit.map { " (\($0))" } ?? ""))
        if outcome.status == .ok { print("value   \(text(outcome.value))") }
        if let error = outcome.error {
            print("error   " + SafeText.indented(error, by: "        "))
        }
        for line in outcome.logs { print("log     " + SafeText.line(line)) }
        for effect in outcome.effects { print("effect  \(text(effect))") }
        let usage = outcome.usage
        print(
            "used    \(usage.instructions) instructions, \(usage.memoryBytes) bytes, "
                + "\(usage.cpuUs) us of processor, \(usage.wallUs) us")
    }

    private static func exitCode(_ status: HookOutcome.Status) -> ExitCode? {
        switch status {
        case .ok: nil
        case .failed: Exit.hookFailed
        case .error: Exit.hookError
        case .limit: Exit.hookLimit
        case .denied: Exit.hookDenied
        case .crash: Exit.hookCrash
        }
    }
}
