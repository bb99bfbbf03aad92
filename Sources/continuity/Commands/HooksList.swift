import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation

struct HooksList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List packs, with the digests that operators pin.",
        discussion: "Exits with 65 when one cannot be read; the others are listed.")

    @Argument(help: "Packs, or folders of packs. Default: policies and hooks, here.")
    var folders: [String] = []

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    private struct Row: Encodable {
        var pack: String
        var version: String
        var kind: HookKind
        var stages: [Stage]
        var packSHA256: String
        var folder: String

        enum CodingKeys: String, CodingKey {
            case pack, version, kind, stages
            case packSHA256 = "pack_sha256"
            case folder
        }
    }

    func run() async throws {
        try await reporting {
            let places = folders.isEmpty ? PackFolders.usual : folders
            guard !places.isEmpty else {
                throw ValidationError("There is no folder 'policies' or 'hooks' here: name one.")
            }
            var exit: ExitCode?
            var table = Table("NAME", "VERSION", "KIND", "STAGES", "DIGEST")
            for folder in try places.flatMap(PackFolders.packs(in:)) {
                let pack: HookPack
                do {
                    pack = try HookPack.load(folder: folder)
                } catch {
                    // The others are listed all the same.
                    exit = failure(SafeText.line("\(error)"), Exit.badFile)
                    continue
                }
                let manifest = pack.manifest
                if json {
                    try printJSON(
                        Row(
                            pack: manifest.name, version: manifest.version, kind: manifest.kind,
                            stages: manifest.stages, packSHA256: pack.packSHA256, folder: folder))
                }
                table.add(
                    manifest.name, manifest.version, manifest.kind.rawValue,
                    manifest.stages.map(\.rawValue).joined(separator: ","), pack.packSHA256)
            }
            if !json { print(table.text) }
            if let exit { throw exit }
        }
    }
}

struct HooksReload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have a running server read its pack folders anew; only what checks is swapped.",
        discussion: "Exits with 1 when a pack was not taken, 3 while a run is under way.")

    @Option(help: "Who asks, for the journal.")
    var requestedBy = ProcessInfo.processInfo.userName

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let result = try await server.post(
                HookPacksChanged.self, "hooks/reload", ["requested_by": .string(requestedBy)])
            if json {
                try printJSON(result)
            } else {
                let result = try forPeople(result)
                for change in result.changes {
                    let from = change.fromSHA256?.prefix(12) ?? "nothing"
                    print("\(change.pack): \(from) -> \(change.toSHA256?.prefix(12) ?? "nothing")")
                }
                for refusal in result.rejected { print("\(refusal.pack): kept, \(refusal.reason)") }
                if result.changes.isEmpty, result.rejected.isEmpty { print("nothing has changed") }
            }
            if !result.rejected.isEmpty {
                throw failure("\(result.rejected.count) packs were not taken", Exit.unmet)
            }
        }
    }
}
