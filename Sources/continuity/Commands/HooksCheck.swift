import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation

struct HooksCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Compile a pack's script, check its manifest and fixtures, show what it asks for.",
        discussion: """
            Exits with 65 for a file that is wrong, 1 for a script that uses globals or members of \
            ctx that do not exist, or calls that its manifest does not ask for.
            """)

    @Argument(help: "Packs, or folders of packs.")
    var packs: [String]

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    @OptionGroup var sandbox: HookSandboxOptions

    private struct Finding: Encodable {
        var pack: String
        var version: String
        var kind: HookKind
        var stages: [Stage]
        var capabilities: [String]
        var fixtures: Int
        var packSHA256: String
        var globals: [GlobalUse]
        var context: [ContextUse]

        enum CodingKeys: String, CodingKey {
            case pack, version, kind, stages, capabilities, fixtures
            case packSHA256 = "pack_sha256"
            case globals, context
        }
    }

    func run() async throws {
        try await reporting {
            var misuses = 0
            var exit: ExitCode?
            try await sandbox.withRuntime { runtime in
                for folder in try packs.flatMap(PackFolders.packs(in:)) {
                    let finding: Finding
                    do {
                        finding = try await check(folder, runtime)
                    } catch let error as ConfigError {
                        // The others are looked at all the same.
                        exit = failure(SafeText.line("\(error)"), Exit.badFile)
                        continue
                    }
                    misuses += finding.globals.count + finding.context.count
                    if json { try printJSON(finding) } else { show(finding, folder) }
                }
            }
            if let exit { throw exit }
            if misuses > 0 {
                throw failure(
                    "\(misuses) uses of what does not exist or is not asked for", Exit.unmet)
            }
        }
    }

    private func check(_ folder: String, _ runtime: HookRuntime) async throws -> Finding {
        let pack = try HookPack.load(folder: folder, ceiling: sandbox.ceiling())
        let file = folder + "/main.lua"
        let listing = try LuaCompiler.listing(of: file)
        let inspection: HookInspection
        do {
            inspection = try await HookInspection.of(pack, in: runtime)
        } catch {
            throw ConfigError(
                file: file, line: nil, message: error.message, remedy: "correct the script")
        }
        let fixtures = try HookFixture.loadAll(packFolder: folder)
        let manifest = pack.manifest
        return Finding(
            pack: manifest.name, version: manifest.version, kind: manifest.kind,
            stages: manifest.stages, capabilities: manifest.capabilities.summary,
            fixtures: fixtures.count, packSHA256: pack.packSHA256,
            globals: GlobalUse.all(inListing: listing).filter {
                $0.isWrite || !inspection.globals.contains($0.name)
            },
            context: ContextUse.all(
                inScript: pack.script, kind: manifest.kind, requested: manifest.capabilities.rules))
    }

    private func show(_ finding: Finding, _ folder: String) {
        let asks =
            finding.capabilities.isEmpty
            ? "nothing" : finding.capabilities.map { SafeText.line($0) }.joined(separator: "; ")
        let file = SafeText.line(folder + "/main.lua")
        print(
            """
            \(finding.pack) \(SafeText.line(finding.version)) (\(finding.kind.rawValue))
              stages    \(finding.stages.map(\.rawValue).joined(separator: ", "))
              asks for  \(asks)
              fixtures  \(finding.fixtures)
              digest    \(finding.packSHA256)
              globals   \(finding.globals.isEmpty ? "fine" : "\(finding.globals.count) misused")
            """)
        for use in finding.globals { print("    \(file): \(SafeText.line(use.advice))") }
        print(
            "  ctx       \(finding.context.isEmpty ? "fine" : "\(finding.context.count) misused")")
        for use in finding.context { print("    \(file): \(SafeText.line(use.advice))") }
    }
}

/// `luac` from Debian's lua5.4: it compiles, and runs nothing.
enum LuaCompiler {
    static func listing(of file: String) throws -> String {
        let candidates = ["/usr/bin/luac5.4", "/usr/local/bin/luac5.4", "/usr/bin/luac"]
        guard let program = candidates.first(where: FileManager.default.isExecutableFile(atPath:))
        else {
            throw failure(
                "luac5.4 is not installed; 'apt-get install lua5.4' brings it", Exit.unavailable)
        }
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-l", "-p", "--", file]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let listing = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw syntaxError(String(decoding: complaint, as: UTF8.self), file)
        }
        return String(decoding: listing, as: UTF8.self)
    }

    /// From `luac5.4: FILE:3: 'end' expected …`.
    private static func syntaxError(_ complaint: String, _ file: String) -> ConfigError {
        let text = complaint.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let place = text.range(of: file + ":") else {
            return ConfigError(file: file, line: nil, message: text, remedy: "")
        }
        let parts = text[place.upperBound...].split(separator: ":", maxSplits: 1)
        return ConfigError(
            file: file, line: parts.first.flatMap { Int($0) },
            message: parts.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? text,
            remedy: "correct the script")
    }
}
