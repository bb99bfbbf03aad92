import FoundationEssentials
import Glibc

/// Makes a stopped or crashed server a standby of a given primary.
///
/// The cheapest way that keeps no write which the primary does not have is taken:
/// 1. as it is, when its history is the beginning of the primary's;
/// 2. `pg_rewind`, which takes back what it wrote after the histories parted;
/// 3. a new base backup beside the old data directory, then put in its place.
package struct PostgresRejoin: Sendable {
    package enum Way: String, Sendable {
        case asItIs = "as_it_is"
        case rewind
        case baseBackup = "base_backup"
    }

    package var dataDirectory: String
    /// The server's `postgresql.conf`, outside the data directory.
    package var configFile: String
    package var logFile: String
    package var primary: PrimaryConnection
    /// How long a started standby may take until it streams from the primary.
    package var streamingLimit: Duration = .seconds(15)
    /// Told each step, for people.
    package var progress: @Sendable (String) -> Void = { _ in }

    package init(
        dataDirectory: String, configFile: String, logFile: String, primary: PrimaryConnection
    ) {
        self.dataDirectory = dataDirectory
        self.configFile = configFile
        self.logFile = logFile
        self.primary = primary
    }

    /// Returns when the server accepts connections and streams from the primary.
    ///
    /// - Throws: `PostgresError`: the server still runs, the primary cannot be reached, or every
    ///   way failed. The old data directory is kept unless a complete copy has taken its place.
    @discardableResult
    package func run() async throws -> Way {
        try finishExchange()
        let located = try await PostgresInstallation.locate()
        let installation = PostgresInstallation(
            binDirectory: located.binDirectory, majorVersion: located.majorVersion,
            runner: try PostgresInstallation.runner(ownerOf: dataDirectory))
        try processes.removeStaleLocks()
        let history = try await primaryHistory(installation)

        var failures: [String] = []
        for way in try await ways(installation, history) {
            progress("rejoining \(primary.host):\(primary.port) by \(way.rawValue)")
            do {
                switch way {
                case .asItIs: break
                case .rewind: try await rewind(installation)
                case .baseBackup: try await copyAnew(installation)
                }
                try Self.makeStandby(installation, dataDirectory: dataDirectory, of: primary)
                try await startAndStream(installation)
                return way
            } catch let error as PostgresError {
                progress("\(way.rawValue) did not do: \(error)")
                failures.append("\(way.rawValue): \(error)")
                try await processes.kill()
                try processes.removeStaleLocks()
            }
        }
        throw PostgresError(
            "\(dataDirectory) could not be made a standby of \(primary.host):\(primary.port)",
            details: failures.joined(separator: "\n"))
    }

    private var processes: PostgresProcesses { PostgresProcesses(dataDirectory: dataDirectory) }

    /// A standby is first started as it is: the end of what it received stands in no control file,
    /// and whether it fits shows within moments. `pg_rewind` could not say so of a crashed standby
    /// before its recovery, which would write a checkpoint of its own and make it diverge.
    private func ways(
        _ installation: PostgresInstallation, _ history: TimelineHistory
    ) async throws -> [Way] {
        // Half of it is the primary's: it must not be started before the rewind is complete.
        if access(rewindMark, F_OK) == 0 { return [.rewind, .baseBackup] }
        let output = try await Program.run(
            installation.serverProgram("pg_controldata", ["-D", dataDirectory]))
        guard output.isSuccess, let control = try? PostgresControl(parsing: output.output) else {
            progress("the control file cannot be read")
            return [.baseBackup]
        }
        switch control.state {
        case .standby:
            return [.asItIs, .rewind, .baseBackup]
        case .cleanPrimary:
            let fits = history.continues(control.timeline, endingWith: control.checkpoint)
            return fits ? [.asItIs, .rewind, .baseBackup] : [.rewind, .baseBackup]
        case .crashedPrimary:
            return [.rewind, .baseBackup]
        }
    }

    /// Asks the primary for its timelines, and has it write a checkpoint: until the first one after
    /// a promotion its control file names the old timeline, and `pg_rewind` of PostgreSQL 15
    /// believes that.
    private func primaryHistory(
        _ installation: PostgresInstallation
    ) async throws -> TimelineHistory {
        let query = """
            SELECT pg_read_file('pg_wal/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
            || '.history', 0, 1048576, true)
            """
        let argv = installation.clientProgram(
            "psql",
            [
                "-XAtq", "-v", "ON_ERROR_STOP=1", "--no-password",
                "-d", primary.clientConninfo(database: "postgres"), "-c", "CHECKPOINT",
                "-c", "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
                "-c", query.replacing("\n", with: " "),
            ])
        let answer = try await Program.run(argv, timeout: .seconds(30))
        let lines = answer.output.split(separator: "\n", omittingEmptySubsequences: false)
        guard answer.isSuccess, let timeline = UInt32(lines.first ?? "", radix: 16) else {
            throw PostgresError(
                "the primary at \(primary.host):\(primary.port) does not answer as one",
                details: Program.lastLines(of: answer.output))
        }
        return TimelineHistory(
            current: timeline, parsing: lines.dropFirst().joined(separator: "\n"))
    }

    private func rewind(_ installation: PostgresInstallation) async throws {
        // A crashed server is recovered by pg_rewind itself, in single-user mode, which refuses to
        // be a standby.
        unlink("\(dataDirectory)/standby.signal")
        try installation.write("", to: rewindMark, mode: 0o600)
        try await Program.mustRun(
            installation.serverProgram(
                "pg_rewind",
                [
                    "-D", dataDirectory, "--source-server",
                    primary.clientConninfo(database: "postgres"), "--config-file", configFile,
                ]),
            timeout: .seconds(90))
        // It may have brought the primary's pid file and signal files along.
        unlink("\(dataDirectory)/postmaster.pid")
        unlink(rewindMark)
    }

    /// There while a rewind is under way, and after one that was ended from outside.
    private var rewindMark: String { dataDirectory + ".rewinding" }

    private func copyAnew(_ installation: PostgresInstallation) async throws {
        let fresh = dataDirectory + ".fresh"
        let files = FileManager.default
        try? files.removeItem(atPath: fresh)
        do {
            try await PostgresBaseBackup(
                installation: installation, source: primary, target: fresh, isSynced: true
            ).run()
        } catch {
            try? files.removeItem(atPath: fresh)
            throw error
        }
        // Two renames; `finishExchange` repairs a death between them.
        try Self.rename(dataDirectory, to: oldDirectory)
        try Self.rename(fresh, to: dataDirectory)
        unlink(rewindMark)
        try? files.removeItem(atPath: oldDirectory)
    }

    private var oldDirectory: String { dataDirectory + ".old" }

    /// Undoes an exchange of data directories that was interrupted halfway, and removes what one
    /// that had succeeded left behind.
    private func finishExchange() throws {
        if access(dataDirectory, F_OK) != 0, access(oldDirectory, F_OK) == 0 {
            try Self.rename(oldDirectory, to: dataDirectory)
        }
        try? FileManager.default.removeItem(atPath: oldDirectory)
    }

    private static func rename(_ path: String, to other: String) throws {
        guard Glibc.rename(path, other) == 0 else {
            throw PostgresError(
                "cannot rename \(path) to \(other): \(String(cString: strerror(errno)))")
        }
    }

    private func startAndStream(_ installation: PostgresInstallation) async throws {
        do {
            try await Program.mustRun(
                PostgresNode.startCommand(
                    installation, dataDirectory: dataDirectory, configFile: configFile,
                    logFile: logFile))
        } catch let error as PostgresError {
            throw PostgresError(error.message, details: logTail(orElse: error.details))
        }
        // The primary itself says whether it feeds this standby.
        let argv = installation.clientProgram(
            "psql",
            [
                "-XAtq", "--no-password", "-d", primary.clientConninfo(database: "postgres"), "-c",
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' "
                    + "AND application_name = \(Quote.literal(primary.applicationName)) "
                    + "AND pid <> pg_backend_pid()",
            ])
        let streams = try await poll(every: .milliseconds(50), for: streamingLimit) {
            let answer = try await Program.run(argv, timeout: .seconds(5))
            return answer.isSuccess && answer.output.hasPrefix("1")
        }
        guard streams else {
            throw PostgresError(
                "it started, and does not stream from the primary after \(streamingLimit)",
                details: logTail())
        }
    }

    private func logTail(orElse other: String = "") -> String {
        let text = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
        return text.isEmpty ? other : Program.lastLines(of: text)
    }

    /// Makes a stopped data directory that of a standby.
    static func makeStandby(
        _ installation: PostgresInstallation, dataDirectory: String, of primary: PrimaryConnection
    ) throws {
        try installation.write(
            PostgresSettings.automatic(primary), to: "\(dataDirectory)/postgresql.auto.conf",
            mode: 0o600)
        try installation.write("", to: "\(dataDirectory)/standby.signal", mode: 0o600)
    }
}
