/// Before an orderly stop: writes out what the stop would have to write, and looks for what would
/// keep the stop from ending.
///
/// A fast shutdown waits for the archiver and for every WAL sender without a bound of its own, and
/// nobody can write meanwhile. So both are asked to do now what the shutdown will ask of them.
package struct PostgresPrepare: Sendable {
    package var dataDirectory: String
    /// The role to log in as over the socket; `nil`: named as the data's owner.
    package var user: String?
    package var timeoutMs: Int64 = 9_000
    /// How long the archiver and the standbys may take, in milliseconds.
    package var waitMs: Int64 = 2_000
    /// A transaction that has been open for longer is not ended without a person's word.
    package var maxTransactionS: Int64 = 60

    package init(dataDirectory: String) { self.dataDirectory = dataDirectory }

    /// - Returns: what would keep the server from stopping; empty: nothing that can be seen.
    /// - Throws: `PostgresError`: it cannot be asked, or is no primary.
    package func run() throws -> [String] {
        let directory = try DataDirectory(dataDirectory)
        let owner = try DataOwner(of: directory.path)
        try owner.become()
        guard let socket = PostgresProcesses(dataDirectory: directory.path).socket else {
            throw PostgresError("\(directory.path): the server is stopped, or has no socket")
        }
        do {
            let session = try PostgresSocket(
                folder: socket.folder, port: socket.port, deadline: .now + .milliseconds(timeoutMs))
            try session.logIn(user: user ?? owner.name, database: PostgresNode.database)
            guard try session.query("SELECT pg_is_in_recovery()") == [["f"]] else {
                throw PostgresError("\(directory.path) is a standby's: there is nothing to prepare")
            }
            let transactions = try longTransactions(session)
            _ = try session.query("CHECKPOINT")
            return try transactions + silentSenders(session) + unarchived(session)
        } catch let failure as PostgresSocket.Failure {
            throw PostgresError("\(directory.path): \(failure)")
        }
    }

    private func longTransactions(_ session: PostgresSocket) throws -> [String] {
        let rows = try session.query(
            """
            SELECT pid, usename, application_name,
             extract(epoch FROM clock_timestamp() - xact_start)::bigint
            FROM pg_stat_activity WHERE backend_type = 'client backend'
             AND pid <> pg_backend_pid()
             AND clock_timestamp() - xact_start > interval '\(maxTransactionS) seconds'
            ORDER BY xact_start LIMIT 3
            """)
        return rows.map { row in
            "the transaction of process \(row[0] ?? "?") (\(row[1] ?? "?"), '\(row[2] ?? "")') has "
                + "been open for \(row[3] ?? "?") s, and would be ended"
        }
    }

    /// Reads until there are no rows any more, or the time is over.
    private func remaining(
        _ session: PostgresSocket, _ question: String
    ) throws -> [[String?]] {
        let deadline = ContinuousClock.now + .milliseconds(waitMs)
        while true {
            let rows = try session.query(question)
            guard !rows.isEmpty, ContinuousClock.now < deadline else { return rows }
            _ = try session.query("SELECT pg_sleep(0.05)")
        }
    }

    private func silentSenders(_ session: PostgresSocket) throws -> [String] {
        let position = try session.query("SELECT pg_current_wal_flush_lsn()").first?.first ?? nil
        guard let position else { return [] }
        return try remaining(
            session,
            """
            SELECT application_name, coalesce(client_addr::text, 'its socket'), state
            FROM pg_stat_replication WHERE state IN ('startup', 'catchup', 'streaming')
             AND coalesce(flush_lsn, write_lsn, '0/0') < \(Quote.literal(position))::pg_lsn
            ORDER BY application_name LIMIT 5
            """
        ).map { row in
            "'\(row[0] ?? "")' at \(row[1] ?? "?") (\(row[2] ?? "?")) has not confirmed the changes "
                + "up to \(position) within \(waitMs) ms; a stop would wait for it"
        }
    }

    private func unarchived(_ session: PostgresSocket) throws -> [String] {
        guard try session.query("SELECT current_setting('archive_mode') <> 'off'") == [["t"]],
            let segment = try session.query("SELECT pg_walfile_name(pg_switch_wal())").first?.first,
            let segment
        else { return [] }
        let rows = try remaining(
            session,
            """
            SELECT name FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
             AND name <= \(Quote.literal(segment + ".ready")) ORDER BY name
            """)
        guard let first = rows.first?.first ?? nil else { return [] }
        let isFailing = try session.query(
            """
            SELECT coalesce(clock_timestamp() - last_failed_time
             < interval '\(waitMs + 500) milliseconds', false) FROM pg_stat_archiver
            """)
        let how = isFailing == [["t"]] ? "archive_command fails" : "archive_command does not end"
        return [
            "\(rows.count) WAL files are not archived within \(waitMs) ms, the first is "
                + "\(first.dropLast(6)): \(how), and a stop would wait for it"
        ]
    }
}
