/// Points a running standby to another primary, without a restart.
package struct PostgresFollow: Sendable {
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

    /// - Throws: `PostgresError`: the server is stopped, is no standby, or refuses.
    package func run() throws {
        try primary.validate()
        let directory = try DataDirectory(dataDirectory)
        let owner = try DataOwner(of: directory.path)
        try owner.become()
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
            // `ALTER SYSTEM` refuses to run within a transaction: one statement for each.
            _ = try session.query(
                "ALTER SYSTEM SET primary_conninfo = \(Quote.literal(primary.conninfo))")
            _ = try session.query("SELECT pg_reload_conf()")
        } catch let failure as PostgresSocket.Failure {
            throw PostgresError("\(directory.path): \(failure)")
        }
    }
}
