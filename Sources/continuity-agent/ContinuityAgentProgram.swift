import ArgumentParser
import ContinuityCommandLine

/// The program of a database host: the agent and what its commands need, without the server.
/// `continuity agent` and `continuity postgres` are the same commands.
@main
struct ContinuityAgentProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "continuity-agent",
        abstract: "The agent of one node, and PostgreSQL's programs for it.",
        discussion: """
            The unit continuity-agent.service runs 'continuity-agent agent --config \
            /etc/continuity/agent.yaml'.

            Exit codes: 0 done; 1 it did not hold; 64 wrong usage; 65 a file is wrong; 70 an \
            internal error.
            """,
        version: VersionText.current,
        subcommands: [AgentCommandLine.self, PostgresCommand.self])
}
