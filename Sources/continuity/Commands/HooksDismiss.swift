import ArgumentParser
import ContinuityCommandLine
import ContinuityCore

struct HooksDismiss: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dismiss",
        abstract: "Give up what a hook left undone: it is not called again for that run.",
        discussion: "What is undone is what 'continuity status' shows. Exits with 3 for nothing.")

    @Option(help: "The cluster.")
    var cluster: String

    @Option(help: "The pack.")
    var pack: String

    @OptionGroup var order: OrderOptions

    func run() async throws {
        try await reporting {
            try await order.send(
                "hooks/dismiss", ["cluster_id": .string(cluster), "pack": .string(pack)],
                done: "\(pack) is not called again")
        }
    }
}
