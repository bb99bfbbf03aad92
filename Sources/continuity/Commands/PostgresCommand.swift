import ArgumentParser
import ContinuityPostgres

struct PostgresCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postgres",
        abstract: "What an agent's commands need for PostgreSQL beyond its own tools.",
        subcommands: [PostgresRejoinCommand.self, PostgresRestartCommand.self])
}

struct PostgresRejoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rejoin",
        abstract: "Make a stopped or crashed server a standby of the given primary.",
        discussion: "As it is where its history allows, else by pg_rewind, else by a base backup.")

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "Its postgresql.conf, outside the data directory.") var configFile: String
    @Option(help: "Where it logs to while it starts.") var logFile: String
    @Option(help: "The primary's host.") var primaryHost: String
    @Option(help: "The primary's port.") var primaryPort: String
    @Option(help: "The user for replication and pg_rewind.") var user: String
    @Option(help: "That user's password, as a libpq password file.") var passfile: String
    @Option(help: "The standby's name, as synchronous_standby_names knows it.")
    var applicationName: String
    @Option(
        help: "PostgreSQL's programs; else those of the data directory's version are looked for.")
    var binDirectory: String?
    @Option(
        help: """
            When only a new copy helps: never, keep (the old data stays beside it; refused where \
            there is no room), discard (it is deleted first where there is no room).
            """) var copy: PostgresRejoin.CopyPolicy = .keep
    @Option(help: "What has not moved for so many seconds is ended; what advances goes on.")
    var stallTimeoutS: Int = 300

    func validate() throws { try checkStallTimeout(stallTimeoutS) }

    func run() async throws {
        try await reporting {
            var rejoin = PostgresRejoin(
                dataDirectory: dataDirectory, configFile: configFile, logFile: logFile,
                primary: PrimaryConnection(
                    host: primaryHost, port: primaryPort, user: user, passfile: passfile,
                    applicationName: applicationName))
            rejoin.binDirectory = binDirectory
            rejoin.copyPolicy = copy
            rejoin.stallLimit = .seconds(stallTimeoutS)
            rejoin.progress = { printError($0) }
            let way = try await rejoin.run()
            print("rejoined by \(way.rawValue)")
        }
    }
}

struct PostgresRestartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Start a stopped server where it is.",
        discussion: "Refused where a pg_rewind was interrupted: such a server must rejoin.")

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "Its postgresql.conf, outside the data directory.") var configFile: String
    @Option(help: "Where it logs to while it starts.") var logFile: String
    @Option(
        help: "PostgreSQL's programs; else those of the data directory's version are looked for.")
    var binDirectory: String?
    @Option(help: "A recovery that has not moved for so many seconds is given up.")
    var stallTimeoutS: Int = 300

    func validate() throws { try checkStallTimeout(stallTimeoutS) }

    func run() async throws {
        try await reporting {
            var restart = PostgresRestart(
                dataDirectory: dataDirectory, configFile: configFile, logFile: logFile)
            restart.binDirectory = binDirectory
            restart.stallLimit = .seconds(stallTimeoutS)
            try await restart.run()
        }
    }
}

extension PostgresRejoin.CopyPolicy: ExpressibleByArgument {}

private func checkStallTimeout(_ seconds: Int) throws {
    guard (1...86_400).contains(seconds) else {
        throw ValidationError("--stall-timeout-s must be from 1 to 86400")
    }
}
