import ArgumentParser
import ContinuityAgent
import ServiceLifecycle
import UnixSignals

struct AgentCommandLine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run the agent of one node: report, probe, hold the lease, carry out orders.",
        discussion: "Ends on SIGTERM or SIGINT (docs/agent.md says what becomes of the service).")

    @Option(help: "The agent's configuration file (docs/agent.md).")
    var config: String

    @OptionGroup var log: LogOptions

    func run() async throws {
        try await reporting {
            let configuration = try AgentConfiguration.load(file: config)
            let logger = log.logger("continuity.agent")
            let agent = try Agent(configuration: configuration, logger: logger)
            try await ServiceGroup(
                services: [agent], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        }
    }
}
