/// Points a running standby to another primary, without a restart, and finds out whether it can
/// follow it at all.
package struct PostgresFollow: Sendable {
    /// This standby's data is not the beginning of the primary's. It is pointed there all the same:
    /// that it listens to no earlier primary is safe.
    package struct Diverged: Error, CustomStringConvertible {
        package let description: String
    }

    package var dataDirectory: String
    package var primary: PrimaryConnection
    package var localUser: String?
    package var timeoutMs: Int64

    package init(
        dataDirectory: String, primary: PrimaryConnection, localUser: String?, timeoutMs: Int64
    ) {
        self.dataDirectory = dataDirectory
        self.primary = primary
        self.localUser = localUser
        self.timeoutMs = timeoutMs
    }

    /// - Throws: `PostgresError`: the server is stopped, is no standby, or refuses; `Diverged`. What
    ///   cannot be found out, because the primary does not answer or lacks that WAL, is no error.
    package func run() async throws {
        try primary.validate()
        let directory = try DataDirectory(dataDirectory)
        let owner = try DataOwner(of: directory.path)
        try owner.become()
        let sample = try point(directory, owner)
        guard let sample,
            let installation = try? await PostgresInstallation.locate(for: directory)
        else { return }
        let inquiry = PrimaryInquiry(installation: installation, primary: primary)
        guard let verdict = try? await Self.divergence(of: sample, directory, inquiry) else {
            return
        }
        throw Diverged(
            description: "\(directory.path) cannot follow \(primary.address): \(verdict)")
    }

    /// - Returns: the end of what this standby has, read before anything of the new primary's can
    ///   be written over it.
    private func point(_ directory: DataDirectory, _ owner: DataOwner) throws -> WALSample? {
        guard let socket = PostgresProcesses(dataDirectory: directory.path).socket else {
            throw PostgresError("\(directory.path): the server is stopped, or has no socket")
        }
        do {
            let session = try PostgresSocket(
                folder: socket.folder, port: socket.port, deadline: .now + .milliseconds(timeoutMs))
            try session.logIn(user: localUser ?? owner.name, database: PostgresNode.database)
            guard try session.query("SELECT pg_is_in_recovery()") == [["t"]] else {
                throw PostgresError("\(directory.path) is no standby's: it cannot follow")
            }
            let told = try session.query(
                "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text, "
                    + "setting FROM pg_settings WHERE name = 'wal_segment_size'")
            var sample: WALSample?
            if let row = told.first, row.count == 2,
                let position = row[0].flatMap({ WALPosition($0) }),
                let segmentBytes = row[1].flatMap({ UInt64($0) })
            {
                sample = WALSample(of: directory, before: position, segmentBytes: segmentBytes)
            }
            // `ALTER SYSTEM` refuses to run within a transaction: one statement for each.
            _ = try session.query(
                "ALTER SYSTEM SET primary_conninfo = \(Quote.literal(primary.conninfo))")
            _ = try session.query("SELECT pg_reload_conf()")
            return sample
        } catch let failure as PostgresSocket.Failure {
            throw PostgresError("\(directory.path): \(failure)")
        }
    }

    /// - Returns: why it is another history; `nil` where it is not, or that cannot be told.
    private static func divergence(
        of sample: WALSample, _ directory: DataDirectory, _ inquiry: PrimaryInquiry
    ) async throws -> String? {
        let (history, position) = try await inquiry.standing()
        guard sample.position <= position else {
            return
                "it has changes up to \(sample.position), and the primary up to \(position) alone"
        }
        let comparison = HistoryComparison(
            directory: directory, inquiry: inquiry, history: history,
            segmentBytes: sample.segmentBytes)
        guard try await comparison.compare(sample) == .different else { return nil }
        return "its WAL before \(sample.position) is not the primary's"
    }
}
