import ArgumentParser
import ContinuityConfig
import ContinuityHooks
import Foundation
import Logging

/// What the commands share that run scripts by themselves.
struct HookSandboxOptions: ParsableArguments {
    @Option(help: "The hook sandbox program, when it does not stand beside this one.")
    var hookSandbox: String?

    @Option(help: "A server's configuration, whose 'hooks.ceilings' then hold here too.")
    var config: String?

    /// The most that a manifest may ask for: as much as any server allows, unless one is named.
    func ceiling() throws -> HookBudgets {
        guard let config else { return .maximum }
        let section = try ConfigReader.load(file: config).optionalMapping("hooks")
        return try HookBudgets.ceilings(reading: section?.optionalMapping("ceilings"))
    }

    /// Runs a body with a sandbox of its own, which is gone afterwards.
    func withRuntime<Value>(_ body: (HookRuntime) async throws -> Value) async throws -> Value {
        let runtime = try HookRuntime(
            sandboxPath: hookSandbox ?? HookRuntime.defaultSandboxPath(), workers: 1,
            logger: Logger(label: "continuity.hooks") { _ in SwiftLogNoOpLogHandler() })
        defer { runtime.shutdown() }
        return try await body(runtime)
    }
}

/// Finding packs on disk.
enum PackFolders {
    /// The packs in a folder, or the folder itself where it is one; in the order of their names.
    static func packs(in folder: String) throws -> [String] {
        let manager = FileManager.default
        if manager.fileExists(atPath: folder + "/hook.yaml") { return [folder] }
        guard let names = try? manager.contentsOfDirectory(atPath: folder) else {
            throw ConfigError(
                file: folder, line: nil, message: "is no folder that can be read",
                remedy: "name a pack, or a folder of packs")
        }
        return names.sorted().map { folder + "/" + $0 }
            .filter { manager.fileExists(atPath: $0 + "/hook.yaml") }
    }

    /// Where packs are looked for when nobody says where: `policies` and `hooks` here.
    static var usual: [String] {
        ["policies", "hooks"].filter { FileManager.default.fileExists(atPath: $0) }
    }
}
