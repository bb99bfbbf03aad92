/// One PostgreSQL server: its folder, its port, and the argument vectors that drive it.
///
/// A node's identity (port, socket, name, access rules) stands *outside* the data directory, in
/// `etc/`, and is handed to the server with `-c config_file=`. `pg_rewind` and `pg_basebackup`
/// copy whole data directories, configuration included: what they cannot reach they cannot
/// overwrite with another node's. The one setting that changes with the primary,
/// `primary_conninfo`, stands in the data directory's `postgresql.auto.conf`, where `ALTER SYSTEM`
/// puts it on a running node; whoever makes a stopped node a standby writes that file anew.
package struct PostgresNode: Sendable {
    package static let database = "postgres"

    package let installation: PostgresInstallation
    /// The node id, also `cluster_name` and the standby's `application_name`.
    package let id: String
    package let folder: String
    package let port: Int
    package let user: String
    package let place: PostgresPlace

    package init(
        installation: PostgresInstallation, id: String, folder: String, port: Int,
        user: String = "postgres", place: PostgresPlace = .loopback
    ) {
        self.installation = installation
        self.id = id
        self.folder = folder
        self.port = port
        self.user = user
        self.place = place
    }

    package var dataDirectory: String { "\(folder)/data" }
    package var pidFile: String { "\(dataDirectory)/postmaster.pid" }
    package var socketDirectory: String { "\(folder)/run" }
    package var socketPath: String { "\(socketDirectory)/.s.PGSQL.\(port)" }
    package var configFile: String { "\(folder)/etc/postgresql.conf" }
    package var accessFile: String { "\(folder)/etc/pg_hba.conf" }
    package var identFile: String { "\(folder)/etc/pg_ident.conf" }
    package var passfile: String { "\(folder)/etc/passfile" }
    package var logFile: String { "\(folder)/postgresql.log" }
    package var address: String { "\(place.host):\(port)" }

    /// How a client reaches this node over its socket.
    package var socketConninfo: String {
        [
            "host=\(Quote.connectionValue(socketDirectory))", "port=\(port)",
            "user=\(Quote.connectionValue(user))", "dbname=\(Self.database)", "connect_timeout=3",
        ].joined(separator: " ")
    }

    /// How this node, as a standby, reaches a primary. The arguments may be placeholders.
    package func connection(toHost host: String, port: String) -> PrimaryConnection {
        PrimaryConnection(
            host: host, port: port, user: user, passfile: passfile, applicationName: id)
    }

    // MARK: Argument vectors

    /// `psql` over the socket, running each statement on its own. It stops at the first error.
    package func psql(_ statements: String...) -> [String] {
        installation.clientProgram(
            "psql",
            ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", socketConninfo]
                + statements.flatMap { ["-c", $0] })
    }

    package func pgCtl(_ arguments: String...) -> [String] {
        installation.serverProgram("pg_ctl", ["-D", dataDirectory, "-s"] + arguments)
    }

    /// Starts the server and waits until it accepts connections, at most half a minute.
    ///
    /// To be run where the server shall stand: `place.launcher` comes before it elsewhere.
    package var startCommand: [String] {
        Self.startCommand(
            installation, dataDirectory: dataDirectory, configFile: configFile, logFile: logFile)
    }

    static func startCommand(
        _ installation: PostgresInstallation, dataDirectory: String, configFile: String,
        logFile: String, timeoutSeconds: Int = 30
    ) -> [String] {
        // With -l the server's streams go to the file: it outlives pg_ctl, and a pipe that it kept
        // open would make whoever reads pg_ctl's output wait for the server's end. pg_ctl hands
        // all this to a shell: the options as they are, the log file between double quotes. The
        // data directory, which would go there too, comes by the environment instead.
        let command = installation.serverProgram(
            "pg_ctl",
            [
                "-s", "-w", "-t", "\(timeoutSeconds)", "-l", Quote.shellDoubleQuoted(logFile),
                "-o", "-c config_file=\(Quote.shellWord(configFile))", "start",
            ])
        return ["/usr/bin/env", "PGDATA=\(dataDirectory)"] + command
    }
}
