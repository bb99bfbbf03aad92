import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation

struct HooksReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Run a recorded hook call again, on the recorded answers.",
        discussion: """
            'serve' keeps its recordings in the folder 'recordings' beside the journal. Shows \
            where the script now decides or acts differently, and exits with 1 then.
            """)

    @Argument(help: "The recording's file.")
    var recording: String

    @Option(help: "The pack to run; else the one of that name under policies or hooks, here.")
    var pack: String?

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var sandbox: HookSandboxOptions

    private struct Report: Encodable {
        var same: Bool
        var pack: String
        var recordedPackSHA256: String
        var packSHA256: String
        var differences: [ReplayDifference]
        var outcome: HookOutcome

        enum CodingKeys: String, CodingKey {
            case same, pack
            case recordedPackSHA256 = "recorded_pack_sha256"
            case packSHA256 = "pack_sha256"
            case differences, outcome
        }
    }

    func run() async throws {
        try await reporting {
            let recorded = try read()
            let pack = try HookPack.load(
                folder: try folder(of: recorded), ceiling: sandbox.ceiling())
            guard pack.manifest.stages.contains(recorded.entry) else {
                throw failure(
                    "the pack has no stage '\(recorded.entry.rawValue)' any more", Exit.unmet)
            }
            let (outcome, differences) = try await sandbox.withRuntime {
                await recorded.replay(with: pack, in: $0)
            }
            if json {
                try printJSON(
                    Report(
                        same: differences.isEmpty, pack: recorded.pack,
                        recordedPackSHA256: recorded.packSHA256, packSHA256: pack.packSHA256,
                        differences: differences, outcome: outcome))
            } else {
                try show(recorded, pack, outcome, differences)
            }
            if !differences.isEmpty {
                throw failure("it differs in \(differences.count) points", Exit.unmet)
            }
        }
    }

    private func show(
        _ recorded: HookRecording, _ pack: HookPack, _ outcome: HookOutcome,
        _ differences: [ReplayDifference]
    ) throws {
        let isSame = recorded.packSHA256 == pack.packSHA256
        print(
            "\(SafeText.line(recorded.pack)) \(SafeText.line(recorded.packVersion)) at \(recorded.entry.rawValue), "
                + "\(timestamp(recorded.atMs)); the pack is "
                + (isSame ? "the same" : "another: \(SafeText.line(pack.manifest.version))"))
        if differences.isEmpty {
            print("\(outcome.status.rawValue), as recorded: \(recorded.calls.count) calls")
        }
        for difference in try forPeople(differences) {
            print("\(difference.what)\n  - \(difference.recorded)\n  + \(difference.now)")
        }
    }

    private func read() throws -> HookRecording {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: recording)) else {
            throw ConfigError(
                file: recording, line: nil, message: "cannot be read", remedy: "check the path")
        }
        guard let value = try? JSONDecoder().decode(HookRecording.self, from: data),
            value.format == HookRecording.format
        else {
            throw ConfigError(
                file: recording, line: nil, message: "is not a recording",
                remedy: "name a file of the folder 'recordings' beside the journal")
        }
        return value
    }

    private func folder(of recorded: HookRecording) throws -> String {
        if let pack { return pack }
        for folder in try PackFolders.usual.flatMap(PackFolders.packs(in:)) {
            let found = try? HookPack.load(folder: folder)
            if found?.manifest.name == recorded.pack { return folder }
        }
        throw ValidationError("There is no pack '\(recorded.pack)' here: name it with --pack.")
    }
}
