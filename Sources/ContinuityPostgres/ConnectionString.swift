/// Quoting for the three languages that meet in PostgreSQL's settings.
package enum Quote {
    /// A value within a libpq connection string.
    package static func connectionValue(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    /// A text literal of SQL, or a value in `postgresql.conf`.
    package static func literal(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }
}

/// How a standby reaches its primary.
package struct PrimaryConnection: Sendable {
    package var host: String
    package var port: String
    package var user: String
    package var passfile: String
    /// The standby's own name, by which the primary's `synchronous_standby_names` knows it.
    package var applicationName: String

    package init(
        host: String, port: String, user: String, passfile: String, applicationName: String
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.passfile = passfile
        self.applicationName = applicationName
    }

    /// The value of `primary_conninfo`. Keepalives are short, because a standby that waits for a
    /// dead host's TCP does not follow the new primary.
    package var conninfo: String {
        [
            "host=\(host)", "port=\(port)", "user=\(Quote.connectionValue(user))",
            "passfile=\(Quote.connectionValue(passfile))",
            "application_name=\(Quote.connectionValue(applicationName))",
            "connect_timeout=3", "keepalives_idle=2", "keepalives_interval=1",
            "keepalives_count=3", "sslmode=prefer",
        ].joined(separator: " ")
    }

    /// The same for a client that runs SQL on the primary.
    func clientConninfo(database: String) -> String {
        "\(conninfo) dbname=\(Quote.connectionValue(database))"
    }
}
