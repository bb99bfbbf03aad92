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

    func run() async throws {
        try await reporting {
            var rejoin = PostgresRejoin(
                dataDirectory: dataDirectory, configFile: configFile, logFile: logFile,
                primary: PrimaryConnection(
                    host: primaryHost, port: primaryPort, user: user, passfile: passfile,
                    applicationName: applicationName))
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

    func run() async throws {
        try await reporting {
            try await PostgresNode.restart(
                dataDirectory: dataDirectory, configFile: configFile, logFile: logFile)
        }
    }
}
