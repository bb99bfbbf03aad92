import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation

extension HookKind: ExpressibleByArgument {}

struct HooksNew: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Make a new pack that checks and whose tests pass.")

    @Argument(help: "Its name: lower-case letters, digits, hyphens. The folder is called the same.")
    var name: String

    @Option(help: "policy (judges), check (vetoes) or action (has effects).")
    var kind: HookKind

    @Option(help: "Make it in this folder instead of here.")
    var folder = "."

    func run() async throws {
        try await reporting {
            let pack = folder == "." ? name : folder + "/" + name
            let scaffold = PackScaffold(name: name, kind: kind)
            // A name that the manifest would refuse is told before anything is written.
            if let manifest = scaffold.files.first(where: { $0.path == "hook.yaml" }) {
                _ = try HookManifest(text: manifest.text, file: pack + "/hook.yaml")
            }
            guard !FileManager.default.fileExists(atPath: pack) else {
                throw ConfigError(
                    file: pack, line: nil, message: "exists already",
                    remedy: "choose another name, or remove it")
            }
            do {
                for (path, text) in scaffold.files {
                    let file = URL(fileURLWithPath: pack).appending(path: path)
                    try FileManager.default.createDirectory(
                        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                    try Data(text.utf8).write(to: file)
                }
            } catch {
                throw ConfigError(
                    file: pack, line: nil, message: "cannot be written",
                    remedy: "check that the folder exists and may be written to")
            }
            print(
                """
                \(pack) is \(kind == .action ? "an" : "a") \(kind.rawValue) for the stage \(scaffold.stage.rawValue)
                next: continuity hooks check \(pack)
                      continuity hooks test \(pack) --coverage
                """)
        }
    }
}
