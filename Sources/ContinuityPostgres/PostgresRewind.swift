import FoundationEssentials
import Glibc

/// `pg_rewind` of a stopped server, in such a way that an end from outside, at any instant, leaves
/// nothing that could be started as if it were good.
///
/// A data directory that is rewound is a mixture of two servers' files until the last one is
/// copied, and its control file, which is written last, says nothing of it. Two things do:
/// - the *mark*, a file beside the data directory, from before the first change until the result is
///   a standby; it names the very directory by its inode, so that another one put in its place is
///   not taken for the half-rewound one;
/// - the data directory's *mode*, from before the first copied byte: PostgreSQL itself refuses to
///   start in a directory that others may enter, whoever starts it.
struct PostgresRewind: Sendable {
    let directory: DataDirectory
    var stallLimit: Duration = .seconds(300)

    private var dataDirectory: String { directory.path }
    /// Beside the data directory: in it `pg_rewind` would remove whatever the source does not have.
    var markFile: String { directory.beside(".rewinding") }
    /// This node's own `postgresql.auto.conf`, which `pg_rewind` exchanges for the source's.
    private var settingsFile: String { directory.beside(".settings") }

    enum Remains: Equatable, Sendable {
        case none
        /// Nothing was copied yet. The server may have lost what made it a standby.
        case prepared
        /// Some files are those of the source named, `nil` if that is not known.
        case mixed(source: String?)
    }

    /// What an interrupted rewind left behind. A mark of another directory is removed.
    func remains() throws -> Remains {
        let status = try status()
        let lines = (try? String(contentsOfFile: markFile, encoding: .utf8))?
            .split(separator: "\n").map(String.init)
        let isOurs = lines?.first == Self.identity(status)
        if lines != nil, !isOurs { removeMark() }
        if status.st_mode & Self.lockBit != 0 {
            guard isOurs, let lines, lines.count > 1 else { return .mixed(source: nil) }
            return .mixed(source: lines[1])
        }
        return isOurs ? .prepared : .none
    }

    /// This node's own settings: the file may be the source's by now.
    func ownSettings() throws -> String? {
        let kept =
            try remains() == .none ? directory.inside(AutomaticSettings.fileName) : settingsFile
        return try? String(contentsOfFile: kept, encoding: .utf8)
    }

    /// - Parameters:
    ///   - source: names the running primary and its history; see `PrimaryFacts.identity`.
    ///   - keep: told what the control file says once the server needs no recovery, before anything
    ///     is taken back.
    ///   - makeStandby: turns the rewound directory into a standby's.
    /// - Precondition: a crashed server is proven to be the former primary (`RejoinPlan`).
    /// - Throws: `RejoinFailure`, `PostgresError`; the mark stays, unless nothing was changed.
    func run(
        _ installation: PostgresInstallation, configFile: String, from primary: PrimaryConnection,
        source: String, keep: (PostgresControl) throws -> Void, makeStandby: () throws -> Void
    ) async throws {
        // One that is mixed must not be recovered: its control file is older than its pages.
        if case .mixed(let known) = try remains() {
            guard known == source else {
                throw RejoinFailure(
                    "\(dataDirectory) is half of a rewind from another primary", .nextStep)
            }
        } else {
            if let settings = try ownSettings() {
                try installation.write(settings, to: settingsFile, mode: 0o600)
                try syncPath(settingsFile)
            }
            try mark(installation, source)
            // It has it for a standby, which single-user mode refuses to be.
            unlink("\(dataDirectory)/standby.signal")
            try await recover(installation, configFile)
            if let control = try await DirectoryState.read(directory, installation).control {
                try keep(control)
            }
            try setLock(true)
        }
        let output = try await copy(installation, configFile: configFile, from: primary)
        guard !output.contains("no rewind required") else {
            throw RejoinFailure(
                "pg_rewind finds nothing to do, and the histories have parted", .nextStep)
        }
        // It may have brought the primary's pid file along.
        unlink("\(dataDirectory)/postmaster.pid")
        // A standby first: without its signal file it would come up as one more primary.
        try makeStandby()
        try setLock(false)
        removeMark()
    }

    private func copy(
        _ installation: PostgresInstallation, configFile: String, from primary: PrimaryConnection
    ) async throws -> String {
        let program = WatchedProgram(
            argv: RejoinLock.copying(dataDirectory)
                + installation.serverProgram(
                    "pg_rewind",
                    [
                        "-D", dataDirectory, "--no-ensure-shutdown", "--source-server",
                        primary.clientConninfo(database: PostgresNode.database), "--config-file",
                        configFile,
                    ]),
            stallLimit: stallLimit)
        do {
            return try await program.mustRun()
        } catch let error as PostgresError {
            let isOfTheWay = ["connection to server", "permission denied", "No space left"]
                .contains { error.details.contains($0) }
            throw RejoinFailure(
                error.message, details: error.details, isOfTheWay ? .stop : .nextStep)
        }
    }

    func removeMark() {
        unlink(markFile)
        unlink(settingsFile)
    }

    /// Ends a crashed primary's recovery, as `pg_rewind` itself would: it reads the control file of
    /// a server that was shut down. Ours because the lock would stop `pg_rewind` from doing it.
    ///
    /// - Throws: for a crashed standby: its recovery would write a checkpoint of its own where the
    ///   primary has, or will have, other records. As long as that stands before the point where
    ///   the timelines parted, `pg_rewind` takes it for a part of the common history.
    private func recover(_ installation: PostgresInstallation, _ configFile: String) async throws {
        let state = try await DirectoryState.read(directory, installation)
        guard let control = state.control, !control.isShutDown else { return }
        guard state.kind == .crashedPrimary else {
            throw RejoinFailure(
                "only a former primary is recovered in single-user mode, and this is none",
                .nextStep)
        }
        do {
            try await WatchedProgram(
                argv: installation.serverProgram(
                    "postgres",
                    [
                        "--single", "-F", "-D", dataDirectory, "-c", "config_file=\(configFile)",
                        "template1",
                    ]),
                stallLimit: stallLimit
            ).mustRun()
        } catch let error as PostgresError {
            let failure = StartFailure.find(in: error.details.split(separator: "\n"), isDead: true)
            if case .data = failure {
                throw RejoinFailure(error.message, details: error.details, .nextStep)
            }
            throw RejoinFailure(error.message, details: error.details, .stop)
        }
    }

    private func mark(_ installation: PostgresInstallation, _ source: String) throws {
        let text = "\(Self.identity(try status()))\n\(source)\n"
        try installation.write(text, to: markFile, mode: 0o600)
        // On disk before what it tells of is: power may fail.
        try syncPath(markFile)
        try syncPath(URL(filePath: dataDirectory).deletingLastPathComponent().path)
    }

    /// `x` for others: they cannot list the directory with it, and all that it holds is closed to
    /// them.
    private static let lockBit: mode_t = 0o001

    private func setLock(_ isLocked: Bool) throws {
        let mode = try status().st_mode & 0o7777
        let wanted = isLocked ? mode | Self.lockBit : mode & ~Self.lockBit
        guard chmod(dataDirectory, wanted) == 0 else {
            throw PostgresError("chmod \(dataDirectory): \(String(cString: strerror(errno)))")
        }
        try syncPath(dataDirectory)
    }

    private func status() throws -> stat {
        var status = stat()
        guard stat(dataDirectory, &status) == 0 else {
            throw PostgresError("\(dataDirectory): \(String(cString: strerror(errno)))")
        }
        return status
    }

    private static func identity(_ status: stat) -> String {
        "\(status.st_dev):\(status.st_ino)"
    }
}

/// One rejoin at a time for each data directory, and none while the copying program of a rejoin
/// that was killed still writes into it.
enum RejoinLock {
    /// What a copying program is started with: it holds a lock of its own until it ends itself.
    static func copying(_ dataDirectory: String) -> [String] {
        // `--no-fork`: whoever kills the process that it started kills the program.
        ["/usr/bin/flock", "--nonblock", "--no-fork", copyFile(dataDirectory)]
    }

    private static func copyFile(_ dataDirectory: String) -> String { dataDirectory + ".copying" }

    /// Waits up to five seconds: one that has just been killed may still be dying.
    ///
    /// - Returns: a descriptor; closing it gives the lock back.
    /// - Throws: `PostgresError` when another is at work.
    static func take(_ dataDirectory: String) async throws -> CInt {
        let descriptor = try await taken(
            dataDirectory + ".rejoin", "another rejoin of \(dataDirectory) is under way")
        do {
            close(
                try await taken(
                    copyFile(dataDirectory),
                    "pg_rewind or pg_basebackup of an earlier rejoin still writes for "
                        + "\(dataDirectory); wait for its end, or end it"))
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func taken(_ path: String, _ busy: String) async throws -> CInt {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw PostgresError("\(path): \(String(cString: strerror(errno)))")
        }
        let held = try await poll(for: .seconds(5)) { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
        guard held else {
            close(descriptor)
            throw PostgresError(busy)
        }
        return descriptor
    }
}
