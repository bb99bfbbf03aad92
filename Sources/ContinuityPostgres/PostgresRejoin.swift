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
        let lock = try await RejoinLock.take(dataDirectory)
        defer { close(lock) }
        try finishExchange()
        let located = try await PostgresInstallation.locate()
        let installation = PostgresInstallation(
            binDirectory: located.binDirectory, majorVersion: located.majorVersion,
            runner: try PostgresInstallation.runner(ownerOf: dataDirectory))
        try processes.removeStaleLocks()
        let facts = try await primaryFacts(installation)

        var failures: [String] = []
        for way in try await ways(installation, facts) {
            progress("rejoining \(primary.host):\(primary.port) by \(way.rawValue)")
            do {
                switch way {
                case .asItIs:
                    try Self.makeStandby(installation, dataDirectory: dataDirectory, of: primary)
                case .rewind:
                    try await rewind.run(
                        installation, configFile: configFile, from: primary,
                        source: facts.identity
                    ) {
                        try Self.makeStandby(
                            installation, dataDirectory: dataDirectory, of: primary)
                    }
                case .baseBackup: try await copyAnew(installation)
                }
                try await startAndStream(installation, facts)
                return way
            } catch let error as PostgresError {
                progress("\(way.rawValue) did not do: \(error)")
                failures.append("\(way.rawValue): \(error)")
                await stop(installation)
                try await processes.kill()
                try processes.removeStaleLocks()
            }
        }
        throw PostgresError(
            "\(dataDirectory) could not be made a standby of \(primary.host):\(primary.port)",
            details: failures.joined(separator: "\n"))
    }

    private var processes: PostgresProcesses { PostgresProcesses(dataDirectory: dataDirectory) }
    private var rewind: PostgresRewind { PostgresRewind(dataDirectory: dataDirectory) }

    /// In an orderly way if it can: a standby that was killed cannot be rewound.
    private func stop(_ installation: PostgresInstallation) async {
        guard !processes.living().isEmpty else { return }
        _ = try? await Program.run(
            installation.serverProgram(
                "pg_ctl", ["-D", dataDirectory, "-s", "-w", "-t", "10", "-m", "fast", "stop"]))
    }

    /// A standby is first started as it is: the end of what it received stands in no control file,
    /// and whether it fits shows within moments. `pg_rewind` could not say so of a crashed standby
    /// before its recovery, which would write a checkpoint of its own and make it diverge.
    private func ways(
        _ installation: PostgresInstallation, _ facts: PrimaryFacts
    ) async throws -> [Way] {
        switch try rewind.remains() {
        case .none: break
        case .prepared:
            progress("an earlier rewind was interrupted before it copied anything")
            return [.rewind, .baseBackup]
        case .mixed(let source):
            // A rewind copies what *this* server changed. What came from a source with another
            // history would stay, unseen.
            let isSame = source == facts.identity
            progress(
                "an earlier rewind was interrupted, from "
                    + (isSame ? "this primary" : "another primary, or one that has restarted"))
            return isSame ? [.rewind, .baseBackup] : [.baseBackup]
        }
        let output = try await Program.run(
            installation.serverProgram("pg_controldata", ["-D", dataDirectory]))
        guard output.isSuccess, let control = try? PostgresControl(parsing: output.output) else {
            progress("the control file cannot be read")
            return [.baseBackup]
        }
        switch control.state {
        case .standby:
            // On one and the same timeline there is nothing that a rewind could find.
            let canRewind = control.timeline != facts.history.current
            return canRewind ? [.asItIs, .rewind, .baseBackup] : [.asItIs, .baseBackup]
        case .cleanPrimary:
            let fits = facts.history.continues(control.timeline, endingWith: control.checkpoint)
            return fits ? [.asItIs, .rewind, .baseBackup] : [.rewind, .baseBackup]
        case .crashedPrimary:
            return [.rewind, .baseBackup]
        }
    }

    /// Asks the primary for its timelines, and has it write a checkpoint: until the first one after
    /// a promotion its control file names the old timeline, and `pg_rewind` of PostgreSQL 15
    /// believes that.
    private func primaryFacts(
        _ installation: PostgresInstallation
    ) async throws -> PrimaryFacts {
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
                "-c",
                "SELECT system_identifier, extract(epoch FROM pg_postmaster_start_time()) "
                    + "FROM pg_control_system()",
                "-c", "SELECT pg_current_wal_flush_lsn()",
                "-c", query.replacing("\n", with: " "),
            ])
        let answer = try await Program.run(argv, timeout: .seconds(30))
        let lines = answer.output.split(separator: "\n", omittingEmptySubsequences: false)
        guard answer.isSuccess, lines.count > 2, let timeline = UInt32(lines[0], radix: 16),
            WALPosition(lines[2]) != nil
        else {
            throw PostgresError(
                "the primary at \(primary.host):\(primary.port) does not answer as one",
                details: Program.lastLines(of: answer.output))
        }
        return PrimaryFacts(
            history: TimelineHistory(
                current: timeline, parsing: lines.dropFirst(3).joined(separator: "\n")),
            identity: "\(lines[1])|\(lines[0])", position: String(lines[2]))
    }

    private func copyAnew(_ installation: PostgresInstallation) async throws {
        let fresh = dataDirectory + ".fresh"
        let files = FileManager.default
        try? files.removeItem(atPath: fresh)
        do {
            try await PostgresBaseBackup(
                installation: installation, source: primary, target: fresh, isSynced: true,
                launcher: RejoinLock.copying(dataDirectory)
            ).run()
            // Before it takes its place: without its signal file it would come up as a primary.
            try Self.makeStandby(installation, dataDirectory: fresh, of: primary)
        } catch {
            try? files.removeItem(atPath: fresh)
            throw error
        }
        // Two renames; `finishExchange` repairs a death between them.
        try Self.rename(dataDirectory, to: oldDirectory)
        try Self.rename(fresh, to: dataDirectory)
        rewind.removeMark()
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

    private func startAndStream(
        _ installation: PostgresInstallation, _ facts: PrimaryFacts
    ) async throws {
        do {
            try await Program.mustRun(
                PostgresNode.startCommand(
                    installation, dataDirectory: dataDirectory, configFile: configFile,
                    logFile: logFile))
        } catch let error as PostgresError {
            throw PostgresError(error.message, details: logTail(orElse: error.details))
        }
        // The primary itself says whether it feeds this standby. It also streams, for a moment, to
        // one that went on where its own timeline began: the end of the one before. What counts is
        // that it has sent something of its own.
        let argv = installation.clientProgram(
            "psql",
            [
                "-XAtq", "--no-password", "-d", primary.clientConninfo(database: "postgres"), "-c",
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' "
                    + "AND sent_lsn >= \(Quote.literal(facts.position)) "
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

/// What a rejoin must know of the primary.
struct PrimaryFacts: Sendable {
    let history: TimelineHistory
    /// The database system, this run of the server, and its timeline: as long as all three are the
    /// same, what was copied from it earlier is the beginning of what it has now.
    let identity: String
    /// In PostgreSQL's form. It stands on the present timeline, behind the point where that began.
    let position: String
}
