extension PostgresNode {
    /// What the agent's configuration names a program for, with the agent's placeholders
    /// (`{primary_host}`, `{primary_port}`) where they belong.
    package struct AgentCommand: Sendable {
        package let name: String
        package let argv: [String]
        /// How long the agent lets the program run, in milliseconds.
        package let timeoutMs: Int
        /// Why the command is made as it is; becomes a comment in the configuration.
        package let comment: String
        /// Of those for hooks: whether it changes nothing.
        package var readsOnly = false
    }

    /// How far a standby has come: what is on its disk, or null while that is not known.
    ///
    /// After its start a standby first replays what it had received earlier. Only when it has
    /// reached the end of that, it asks for more, and `pg_last_wal_receive_lsn()` begins to say
    /// something; until then it holds more than it has replayed, and nothing tells how much.
    private static let standbyPosition = """
        CASE WHEN pg_last_wal_receive_lsn() IS NULL AND current_setting('primary_conninfo') <> ''
         THEN NULL ELSE held END
        """

    /// Whether a primary feeds a standby, with changes of the same history.
    ///
    /// A receiver calls itself streaming before it has heard a word: until the first message the
    /// two times of the last one are the same. And it streams for moments, again and again, when
    /// the standby went on where the primary's timeline began: the timelines' histories, which it
    /// fetches before, say so. A standby that holds more than its primary has at all is on a history
    /// of its own, whatever streams.
    static let isFed = """
        EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'
         AND last_msg_send_time <> last_msg_receipt_time AND held <= latest_end_lsn
         AND NOT EXISTS (SELECT FROM pg_ls_dir('pg_wal') AS f,
         regexp_split_to_table(pg_read_file('pg_wal/' || f, 0, 1048576, true), E'\\n') AS l
         WHERE f LIKE '%.history' AND CASE WHEN split_part(l, E'\\t', 1) = received_tli::text
         THEN split_part(l, E'\\t', 2)::pg_lsn
         < held END))
        """

    /// One JSON object that says what this server is and how far it has come.
    ///
    /// On a primary the flushed position, not the inserted one: only what is on disk counts. On a
    /// standby what it has received, as all of that will be replayed before it is promoted. The
    /// lag is 0 while everything received is also replayed, however long ago the last write was.
    /// Where something is not, it is looked at again after a moment: the time of the last
    /// transaction says nothing about a first write after a quiet time.
    static let statusQuery = """
        SELECT json_build_object(
         'role', CASE WHEN r THEN 'secondary' ELSE 'primary' END,
         'position_bytes', (CASE WHEN r
           THEN \(standbyPosition)
           ELSE pg_current_wal_flush_lsn() END - '0/0')::bigint,
         'lag_ms', CASE WHEN NOT r THEN 0
           WHEN pg_last_wal_receive_lsn() IS NULL THEN NULL
           WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0
           WHEN (SELECT w <= pg_last_wal_replay_lsn() FROM (SELECT pg_last_wal_receive_lsn() AS w,
             pg_sleep(0.02)) AS x) THEN 20
           ELSE greatest(0, extract(epoch FROM
             clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint END,
         'streaming', \(isFed),
         'synchronous', CASE WHEN r THEN NULL ELSE current_setting('synchronous_standby_names')
           <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local') END)
        FROM (SELECT pg_is_in_recovery() AS r,
         greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) AS held) AS s
        """

    /// What the shipped packs for PostgreSQL look at beyond the status: one JSON object.
    ///
    /// The timeline of a standby is that of what it receives; without a receiver, that of its last
    /// restart point, which may be older.
    static let inspectQuery = """
        SELECT json_build_object(
         'in_recovery', r,
         'read_only', current_setting('transaction_read_only') = 'on',
         'timeline', CASE WHEN r
           THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver),
             (SELECT timeline_id FROM pg_control_checkpoint()))
           ELSE ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int END,
         'flush_bytes', CASE WHEN r THEN NULL
           ELSE (pg_current_wal_flush_lsn() - '0/0')::bigint END,
         'receive_bytes', CASE WHEN r
           THEN (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint END,
         'replay_bytes', CASE WHEN r THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END,
         'replay_paused', CASE WHEN r THEN pg_is_wal_replay_paused() ELSE false END,
         'receiver', (SELECT status FROM pg_stat_wal_receiver),
         'streaming', (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),
         'archiving', current_setting('archive_mode') <> 'off',
         'archive_waiting',
           (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
         'archive_failing', (SELECT coalesce(last_failed_time > coalesce(last_archived_time,
           '-infinity'), false) FROM pg_stat_archiver),
         'transactions', (SELECT count(*) FROM pg_stat_activity
           WHERE backend_type = 'client backend' AND xact_start IS NOT NULL
             AND pid <> pg_backend_pid()))
        FROM pg_is_in_recovery() AS r
        """

    /// What hooks may be granted to ask of this node's agent (`hook_commands`).
    package var hookCommands: [AgentCommand] {
        let inspect = Self.inspectQuery.replacing("\n", with: "")
        return [
            .init(
                name: "pg-inspect", argv: psql(inspect), timeoutMs: 3000,
                comment: "Prints what the packs postgresql-promotion and -demotion look at.",
                readsOnly: true),
            .init(
                name: "pg-inspect-later", argv: psql("SELECT pg_sleep(0.2)", inspect),
                timeoutMs: 3000, comment: "The same after a moment, for a hook that waits.",
                readsOnly: true),
            .init(
                name: "pg-switch-wal", argv: psql("SELECT pg_switch_wal()"), timeoutMs: 5000,
                comment: "Ends the current WAL segment, so that it is archived."),
        ]
    }

    /// The same question by `psql`, for who has a session of their own.
    package var statusCommand: [String] {
        psql(Self.statusQuery.replacing("\n", with: ""))
    }

    package var promoteCommand: [String] { pgCtl("promote", "--no-wait") }

    /// Takes changes from another primary, without a restart. `ALTER SYSTEM` refuses to run within
    /// a transaction, hence one statement for each.
    package func followCommand(host: String, port: String) -> [String] {
        let conninfo = Quote.literal(connection(toHost: host, port: port).conninfo)
        return psql("ALTER SYSTEM SET primary_conninfo = \(conninfo)", "SELECT pg_reload_conf()")
    }

    /// The same for an agent. What it fills in comes as arguments, and is quoted by the program:
    /// within a statement nobody would quote it.
    private func followCommand(executable: String) -> [String] {
        [
            executable, "postgres", "follow", "--data-directory", dataDirectory,
            "--primary-host", "{primary_host}", "--primary-port", "{primary_port}",
            "--user", user, "--passfile", passfile, "--application-name", id,
            "--local-user", user,
        ]
    }

    package func rejoinCommand(executable: String, host: String, port: String) -> [String] {
        [
            executable, "postgres", "rejoin", "--data-directory", dataDirectory,
            "--config-file", configFile, "--log-file", logFile,
            "--primary-host", host, "--primary-port", port, "--user", user,
            "--passfile", passfile, "--application-name", id,
        ]
    }

    private func restartCommand(executable: String) -> [String] {
        [
            executable, "postgres", "restart", "--data-directory", dataDirectory,
            "--config-file", configFile, "--log-file", logFile,
        ]
    }

    /// Every command of this node's agent.
    ///
    /// - Parameter executable: the absolute path of `continuity`, for `rejoin` and `restart`.
    package func agentCommands(executable: String) -> [AgentCommand] {
        [
            .init(
                name: "status",
                argv: [
                    executable, "postgres", "status", "--data-directory", dataDirectory, "--user",
                    user,
                ], timeoutMs: 3000,
                comment: "Prints one JSON object; a server that lives and refuses is not dead."),
            .init(
                name: "prepare",
                argv: [
                    executable, "postgres", "prepare", "--data-directory", dataDirectory,
                    "--user", user,
                ],
                timeoutMs: 10_000,
                comment: "Writes out now what the stop would else have to write, and tells what "
                    + "would keep it from ending."),
            .init(
                name: "demote", argv: pgCtl("stop", "-m", "fast", "--no-wait"), timeoutMs: 20_000,
                comment: "Ends sessions, sends the last WAL to the standbys, stops. The agent "
                    + "waits for the end."),
            .init(
                name: "fence", argv: pgCtl("stop", "-m", "immediate", "--no-wait"),
                timeoutMs: 3000,
                comment: "Stops without a word. The agent kills whatever is left afterwards."),
            .init(
                name: "promote", argv: promoteCommand, timeoutMs: 20_000,
                comment: "Orders it; the agent asks `status` until the server says primary."),
            .init(
                name: "follow", argv: followCommand(executable: executable),
                timeoutMs: 5000,
                comment: "Points a running standby at another primary, without a restart."),
            .init(
                name: "rejoin",
                argv: rejoinCommand(
                    executable: executable, host: "{primary_host}", port: "{primary_port}"),
                timeoutMs: 3_600_000,
                comment: "Makes a stopped node a standby: as it is, by pg_rewind, or from a new "
                    + "base backup, whichever comes first."),
            .init(
                name: "restart", argv: restartCommand(executable: executable), timeoutMs: 3_600_000,
                comment: "Starts the server again where it is, unless a pg_rewind of it was "
                    + "interrupted."),
        ]
    }
}
