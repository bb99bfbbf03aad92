package import ArgumentParser
import ContinuityCore
import ContinuityPostgres
import Foundation

package struct PostgresCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "postgres",
        abstract: "What an agent's commands need for PostgreSQL beyond its own tools.",
        subcommands: [
            PostgresStatusCommand.self, PostgresFollowCommand.self, PostgresRejoinCommand.self,
            PostgresRestartCommand.self, PostgresPrepareCommand.self, PostgresCheckCommand.self,
        ])

    package init() {}
}

struct PostgresStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Print what a server is and how far it has come, as an agent's status command.",
        discussion: """
            One JSON object. A server that lives and cannot be asked (too many clients, a slow \
            login, still starting) is told with a null position and a 'detail'; only one that \
            answers nothing, is stopped or shutting down makes this fail. It logs in over the \
            server's socket, as the data's owner, whose name it takes on.
            """)

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "The role to log in as; else the one named as the data's owner.") var user:
        String?
    @Option(help: "How long the server may take to answer, in milliseconds.")
    var timeoutMs: Int64 = 800

    func validate() throws {
        guard (10...60_000).contains(timeoutMs) else {
            throw ValidationError("--timeout-ms must be from 10 to 60000")
        }
    }

    func run() async throws {
        try await reporting {
            print(
                try PostgresStatus(
                    dataDirectory: dataDirectory, user: user, timeoutMs: timeoutMs
                ).json())
        }
    }
}

struct PostgresFollowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow",
        abstract: "Point a running standby to another primary, without a restart.",
        discussion: """
            Exit code 6: its data is not the beginning of the primary's, so it can never take the \
            primary's changes; it must rejoin.
            """)

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "The primary's host.") var primaryHost: String
    @Option(help: "The primary's port.") var primaryPort: String
    @Option(help: "The user for replication.") var user: String
    @Option(help: "That user's password, as a libpq password file.") var passfile: String
    @Option(help: "The standby's name, as synchronous_standby_names knows it.")
    var applicationName: String
    @Option(help: "The role for this server itself; else the one named as the data's owner.")
    var localUser: String?
    @Option(help: "How long this server may take, in milliseconds.") var timeoutMs: Int64 = 5000

    func validate() throws {
        guard (10...60_000).contains(timeoutMs) else {
            throw ValidationError("--timeout-ms must be from 10 to 60000")
        }
    }

    func run() async throws {
        try await reporting {
            let follow = PostgresFollow(
                dataDirectory: dataDirectory,
                primary: PrimaryConnection(
                    host: primaryHost, port: primaryPort, user: user, passfile: passfile,
                    applicationName: applicationName),
                localUser: localUser, timeoutMs: timeoutMs)
            do {
                try await follow.run()
            } catch let error as PostgresFollow.Diverged {
                throw failure("\(error)", Exit.diverged)
            }
        }
    }
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
            there is no room), discard (it is deleted first where there is no room). An agent \
            names the cluster's policy in CONTINUITY_REJOIN (ask, keep, discard): the more careful \
            of the two holds.
            """) var copy: PostgresRejoin.CopyPolicy?
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
            try apply(ProcessInfo.processInfo.environment["CONTINUITY_REJOIN"], to: &rejoin)
            rejoin.stallLimit = .seconds(stallTimeoutS)
            rejoin.progress = { printError($0) }
            let way = try await rejoin.run()
            print("rejoined by \(way.rawValue)")
        }
    }
}

extension PostgresRejoinCommand {
    /// - Parameter ordered: the policy of the cluster, where an agent gave the order.
    private func apply(_ ordered: String?, to rejoin: inout PostgresRejoin) throws {
        let own = copy ?? .keep
        switch ordered {
        case nil, "": rejoin.copyPolicy = own
        case "ask": (rejoin.copyPolicy, rejoin.mayRewind) = (.never, false)
        case "keep": rejoin.copyPolicy = own == .discard ? .keep : own
        case "discard": rejoin.copyPolicy = copy ?? .discard
        case let other?:
            throw ValidationError("CONTINUITY_REJOIN is '\(other)': ask, keep or discard")
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

struct PostgresPrepareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "Make a primary's stop quick, and tell what would keep it from ending.",
        discussion: """
            A checkpoint and, where WAL is archived, a new segment: transactions that have been open \
            for long, standbys that do not confirm, and an archiver that fails or hangs are told on \
            standard error. Exit code 75 when there is any.
            """)

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "The role to log in as; else the one named as the data's owner.") var user:
        String?
    @Option(help: "How long it may take as a whole, in milliseconds.") var timeoutMs: Int64 = 9000
    @Option(help: "How long the archiver and the standbys may take each, in milliseconds.")
    var waitMs: Int64 = 2000
    @Option(help: "A transaction that has been open for longer stands against a stop, in seconds.")
    var maxTransactionS: Int64 = 60

    func validate() throws {
        guard (100...600_000).contains(timeoutMs), (10...600_000).contains(waitMs),
            (1...86_400).contains(maxTransactionS)
        else {
            throw ValidationError(
                "--timeout-ms must be from 100 to 600000, --wait-ms from 10 to 600000, "
                    + "--max-transaction-s from 1 to 86400")
        }
    }

    func run() async throws {
        try await reporting {
            var prepare = PostgresPrepare(dataDirectory: dataDirectory)
            prepare.user = user
            prepare.timeoutMs = timeoutMs
            prepare.waitMs = waitMs
            prepare.maxTransactionS = maxTransactionS
            let hindrances = try prepare.run()
            guard !hindrances.isEmpty else { return }
            printError(SafeText.line(hindrances.joined(separator: "; ")))
            throw Exit.hindered
        }
    }
}

struct PostgresCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look at what a rejoin will need on this node. Nothing is changed.",
        discussion: "Exit code 1 when something would make a rejoin fail.")

    @Option(help: "The server's data directory.") var dataDirectory: String
    @Option(help: "Its postgresql.conf.") var configFile: String?
    @Option(
        help: "PostgreSQL's programs; else those of the data directory's version are looked for.")
    var binDirectory: String?

    func run() async throws {
        try await reporting {
            let findings = await PostgresCheck(
                dataDirectory: dataDirectory, configFile: configFile, binDirectory: binDirectory
            ).findings()
            for finding in findings { print("\(finding.level.rawValue): \(finding.message)") }
            if findings.contains(where: { $0.level == .error }) { throw Exit.unmet }
            print("a rejoin has what it needs")
        }
    }
}

extension PostgresRejoin.CopyPolicy: ExpressibleByArgument {}

private func checkStallTimeout(_ seconds: Int) throws {
    guard (1...86_400).contains(seconds) else {
        throw ValidationError("--stall-timeout-s must be from 1 to 86400")
    }
}
