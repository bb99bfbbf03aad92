import ArgumentParser
import ContinuityCommandLine

@main
struct Continuity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "continuity",
        abstract: "Decides when a service has lost its primary, and moves it safely.",
        discussion: """
            Begin with 'continuity demo': it kills a real PostgreSQL and shows what happens.

            Exit codes: 0 done; 1 it did not hold; 3 refused by a rule; 4 a journal \
            needs a person's eyes (audit verify); 5 it waits for the consent of others; 64 wrong usage; \
            10 to 14 how a hook ended (hooks run); 65 a file is wrong; 69 the server cannot be reached; 70 an internal error; 75 what was waited for \
            goes on.
            """,
        version: VersionText.current,
        subcommands: [
            Serve.self, AgentCommandLine.self, DemoCommand.self, ContextCommand.self,
            Status.self, PlanCommand.self,
            SimulateCommand.self, Failover.self, Switchover.self, Adopt.self, Approve.self,
            Refuse.self,
            BreakGlass.self, ReviewCommand.self, BrakeCommand.self, Pause.self, Resume.self,
            Maintenance.self, ScheduleCommand.self, DrillCommand.self, RunCommand.self,
            HooksCommand.self,
            Audit.self, Backup.self, Restore.self, PKICommand.self, TokenCommand.self,
            WhoAmI.self, AccessCommand.self, OpenAPICommand.self, PostgresCommand.self,
        ])
}
