import ArgumentParser
import ContinuityAPI

struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Show which role each route and command needs (Markdown).")

    func run() { print(AccessTable.markdown) }
}
