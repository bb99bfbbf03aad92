import FoundationEssentials
import Glibc

/// Makes a stopped or crashed server a standby of a given primary.
///
/// What the data directory is is read from all its signs first (`DirectoryState`), and its WAL is
/// compared with the primary's (`HistoryComparison`). Then the cheapest way that keeps no write
/// which the primary does not have is taken (`RejoinPlan`):
/// 1. as it is, when its history is the beginning of the primary's;
/// 2. `pg_rewind`, which takes back what it wrote after the histories parted;
/// 3. a new base backup, then put in its place; the old directory is kept.
///
/// The next way is tried only after a failure that it would mend: what a new copy would have too,
/// a port that is taken say, is told instead.
package struct PostgresRejoin: Sendable {
    package enum Way: String, Sendable {
        case asItIs = "as_it_is"
        case rewind
        case baseBackup = "base_backup"
    }

    /// What may happen to data that only a new copy replaces.
    package enum CopyPolicy: String, CaseIterable, Sendable {
        /// A person is told, and decides.
        case never
        /// The old data is kept; where there is no room for both, a person is told.
        case keep
        /// The old data is kept where there is room, and deleted first where there is none.
        case discard
    }

    package var dataDirectory: String
    /// The server's `postgresql.conf`, outside the data directory.
    package var configFile: String
    package var logFile: String
    package var primary: PrimaryConnection
    /// Where PostgreSQL's programs are; `nil` to look for those of the directory's version.
    package var binDirectory: String?
    package var copyPolicy = CopyPolicy.keep
    /// Whether `pg_rewind` may take back what the primary does not have. Unless the copy policy is
    /// `discard`, the WAL that says what that was is kept.
    package var mayRewind = true
    /// Nothing that advances is ended; what has not moved for so long is.
    package var stallLimit: Duration = .seconds(300)
    /// How long a started standby may stand still until it streams from the primary.
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

    /// Returns when the server accepts connections and streams from the primary, or, where it
    /// applies changes with a delay, replays.
    ///
    /// - Throws: `PostgresError`: the server still runs, the primary cannot be reached, or no way
    ///   could be gone. The old data directory is kept unless a complete copy has taken its place.
    @discardableResult
    package func run() async throws -> Way {
        try primary.validate()
        let directory = try DataDirectory(dataDirectory)
        let lock = try await RejoinLock.take(directory.path)
        defer { close(lock) }
        // The version is not known before the exchange is finished; nothing is removed by that.
        try DirectoryExchange(directory: directory, majorVersion: 0).finish()
        let installation = try await PostgresInstallation.locate(
            for: directory, binDirectory: binDirectory)
        try PostgresProcesses(dataDirectory: directory.path).removeStaleLocks()
        let work = RejoinWork(settings: self, directory: directory, installation: installation)
        return try await work.run()
    }

    /// Makes a stopped data directory that of a standby.
    ///
    /// - Parameter own: the node's own `postgresql.auto.conf`, where another one came with a copy.
    static func makeStandby(
        _ installation: PostgresInstallation, dataDirectory: String, of primary: PrimaryConnection,
        own: String? = nil
    ) throws {
        let path = "\(dataDirectory)/\(AutomaticSettings.fileName)"
        let present = try? String(contentsOfFile: path, encoding: .utf8)
        try installation.write(
            AutomaticSettings.text(own: own ?? present, copied: present, following: primary),
            to: path, mode: 0o600)
        try installation.write("", to: "\(dataDirectory)/standby.signal", mode: 0o600)
    }
}
