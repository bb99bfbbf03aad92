/// The texts of a node's own configuration files.
enum PostgresSettings {
    static func configuration(of node: PostgresNode) -> String {
        """
        # PostgreSQL of \(node.id). It stands outside the data directory, so that pg_rewind and
        # pg_basebackup, which copy another node's data directory, leave it alone.
        hba_file = \(Quote.setting(node.accessFile))
        ident_file = \(Quote.setting(node.identFile))
        cluster_name = \(Quote.setting(node.id))
        listen_addresses = \(Quote.setting(node.place.host))
        port = \(node.port)
        unix_socket_directories = \(Quote.setting(node.socketDirectory))
        unix_socket_permissions = 0700

        # A commit is acknowledged when it is on disk here and on any one standby: whichever
        # standby has the most WAL then has every acknowledged write.
        wal_level = replica
        hot_standby = on
        synchronous_commit = on
        synchronous_standby_names = 'ANY 1 (*)'
        fsync = on
        full_page_writes = on

        # pg_rewind needs the hints, and the WAL back to where the histories parted.
        wal_log_hints = on
        wal_keep_size = 256MB
        max_wal_senders = 10
        max_replication_slots = 10

        recovery_target_timeline = 'latest'
        # How often a standby without a primary asks again. Being told to follow another one wakes
        # it at once.
        wal_retrieve_retry_interval = \(walRetrieveRetryMs)ms
        wal_receiver_status_interval = 1s
        wal_receiver_timeout = 5s
        wal_sender_timeout = 5s

        # Whether a server that lost a process comes back is the orchestrator's decision.
        restart_after_crash = off

        # Small, for three servers on one machine.
        shared_buffers = 16MB
        max_connections = 40
        min_wal_size = 80MB
        max_wal_size = 256MB
        checkpoint_timeout = 5min
        max_worker_processes = 4
        max_parallel_workers = 0

        log_destination = 'stderr'
        logging_collector = off
        log_line_prefix = '%m [%p] '
        timezone = 'UTC'
        log_timezone = 'UTC'

        """
    }

    /// Shorter does not shorten the outage, as `follow` wakes a standby at once, and while there is
    /// no primary every retry costs a process and a line in the log.
    static let walRetrieveRetryMs = 100

    static func accessRules(of node: PostgresNode) -> String {
        let user = Quote.accessName(node.user)
        return """
            # The socket stands in a folder that only the server's user can enter: no password there.
            local all         all             trust
            host  all         \(user) \(node.place.clients) scram-sha-256
            host  replication \(user) \(node.place.clients) scram-sha-256

            """
    }
}
