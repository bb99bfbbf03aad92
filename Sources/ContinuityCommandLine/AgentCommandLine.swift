package import ArgumentParser
import ContinuityAgent
import ServiceLifecycle
import UnixSignals

package struct AgentCommandLine: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run the agent of one node: report, probe, hold the lease, carry out orders.",
        discussion: "Ends on SIGTERM or SIGINT (docs/agent.md says what becomes of the service).")

    @Option(help: "The agent's configuration file (docs/agent.md).")
    package var config: String

    @Flag(help: "Check the configuration and the service's unit, and end: 0 when all is well.")
    package var check = false

    @OptionGroup package var log: LogOptions

    package init() {}

    package func run() async throws {
        try await reporting {
            let configuration = try AgentConfiguration.load(file: config)
            guard !check else { return try await examine(configuration) }
            let logger = log.logger("continuity.agent")
            let agent = try Agent(configuration: configuration, logger: logger)
            try await ServiceGroup(
                services: [agent], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        }
    }

    private func examine(_ configuration: AgentConfiguration) async throws {
        print("configuration: good")
        for doubt in configuration.doubts { print("doubt: \(doubt)") }
        guard let service = configuration.service else {
            return print("role: witness, which has no service")
        }
        guard let unit = service.unit else {
            return print("unit: 'service.unit' names none; see docs/fencing.md, Supervisors")
        }
        let found = await UnitCheck.run(unit: unit)
        print(found.text)
        if !found.isSafe { throw ExitCode.failure }
    }
}
