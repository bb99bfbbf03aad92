/// Quoting for the languages that meet in PostgreSQL's settings: each value by the rules of the
/// place that it goes to.
package enum Quote {
    /// A value within a libpq connection string.
    package static func connectionValue(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    /// A text literal of SQL, under `standard_conforming_strings`.
    package static func literal(_ text: String) -> String {
        "'" + text.replacing("'", with: "''") + "'"
    }

    /// A value in `postgresql.conf`: unlike in SQL, a backslash begins an escape there.
    package static func setting(_ text: String) -> String {
        literal(text.replacing("\\", with: "\\\\"))
    }

    /// A name in `pg_hba.conf`: in quotes, in which `all` and `+group` mean nothing special.
    package static func accessName(_ text: String) -> String {
        "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    /// A field of libpq's password file.
    package static func passfileField(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
    }

    /// One word for a shell.
    static func shellWord(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// What stands between double quotes for a shell. `pg_ctl` puts its log file there as it is.
    static func shellDoubleQuoted(_ text: String) -> String {
        var quoted = ""
        for character in text {
            if "\\\"$`".contains(character) { quoted.append("\\") }
            quoted.append(character)
        }
        return quoted
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
        let named = [
            ("host", host), ("port", port), ("user", user), ("passfile", passfile),
            ("application_name", applicationName),
        ]
        return
            (named.map { "\($0)=\(Quote.connectionValue($1))" } + [
                "connect_timeout=3", "keepalives_idle=2", "keepalives_interval=1",
                "keepalives_count=3", "sslmode=prefer",
            ]).joined(separator: " ")
    }

    /// The same for a client that runs SQL on the primary.
    func clientConninfo(database: String) -> String {
        "\(conninfo) dbname=\(Quote.connectionValue(database))"
    }

    /// The same for one that speaks the replication protocol: it needs nothing but REPLICATION.
    var replicationConninfo: String { "\(conninfo) replication=true" }

    var address: String { "\(host):\(port)" }

    /// - Throws: `PostgresError` for what no file of PostgreSQL can hold: a line's end, a NUL.
    package func validate() throws(PostgresError) {
        let fields = [
            ("host", host), ("port", port), ("user", user), ("passfile", passfile),
            ("application name", applicationName),
        ]
        for (name, text) in fields {
            guard !text.isEmpty, !text.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
                throw PostgresError("the primary's \(name) is empty or holds a control character")
            }
        }
        guard let number = UInt16(port), number > 0 else {
            throw PostgresError("the primary's port '\(port)' is not a number from 1 to 65535")
        }
    }
}
