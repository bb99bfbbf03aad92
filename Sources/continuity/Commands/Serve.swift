import ArgumentParser
import ContinuityCommandLine
import ContinuityServer

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the orchestrator: detect, decide, drive runs, serve the API.",
        discussion: "Ends on SIGTERM or SIGINT. What it was doing goes on when it starts again.")

    @Option(help: "The server's configuration file (docs/operations.md).")
    var config: String

    @Option(help: "The hook sandbox program, when it does not stand beside this one.")
    var hookSandbox: String?

    @OptionGroup var log: LogOptions

    func run() async throws {
        try await reporting {
            let configuration = try ServerConfiguration.load(file: config)
            try await Server(
                configuration: configuration, sandboxPath: hookSandbox,
                simulator: SimulationProcess(),
                logger: log.logger("continuity.serve")
            ).run()
        }
    }
}
