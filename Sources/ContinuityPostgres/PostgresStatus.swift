import FoundationEssentials
import Glibc

/// What a server is and how far it has come, for the agent's `status` command.
///
/// It tells *cannot ask* from *is dead*. A server that refuses a login ("too many clients") lives,
/// and so does one whose login takes long: fencing it would end the work of all who are in. Then
/// its role is that of its control file, its position is unknown, and `detail` says why.
package struct PostgresStatus: Sendable {
    package enum Failure: Error, CustomStringConvertible {
        /// Nothing of it answers, or it is ending.
        case dead(String)

        package var description: String {
            switch self {
            case .dead(let reason): reason
            }
        }
    }

    package let dataDirectory: String
    /// The role to log in as over the socket; `nil`: named as the data's owner.
    package let user: String?
    package let timeoutMs: Int64

    package init(dataDirectory: String, user: String?, timeoutMs: Int64) {
        self.dataDirectory = dataDirectory
        self.user = user
        self.timeoutMs = timeoutMs
    }

    /// - Returns: one JSON object.
    /// - Throws: `Failure`, `PostgresError`.
    package func json() throws -> String {
        let directory = try DataDirectory(dataDirectory)
        let owner = try DataOwner(of: directory.path)
        try owner.become()
        let began = ContinuousClock.now
        let processes = PostgresProcesses(dataDirectory: directory.path)
        guard let socket = processes.socket else {
            guard processes.postmaster != nil else { throw Failure.dead("the server is stopped") }
            throw Failure.dead(
                "\(directory.path)/postmaster.pid names no socket on this machine; "
                    + "set unix_socket_directories")
        }
        var details = Self.fullVolumes(of: directory)
        let isFull = !details.isEmpty
        do {
            let session = try PostgresSocket(
                folder: socket.folder, port: socket.port,
                deadline: began + .milliseconds(timeoutMs))
            try session.logIn(user: user ?? owner.name, database: PostgresNode.database)
            let rows = try session.query(PostgresNode.statusQuery)
            guard let text = rows.first?.first.flatMap(\.self), text.hasSuffix("}") else {
                throw Failure.dead("the server's answer is not understood")
            }
            details += Self.remarks(try session.query(Self.remarksQuery))
            return Self.adding(details, isFull: isFull, to: text)
        } catch let failure as PostgresSocket.Failure {
            details.insert(try livingDetail(failure, socket, processes), at: 0)
            let role = Self.role(of: directory)
            return Self.adding(
                details, isFull: isFull,
                to: #"{"role" : "\#(role)", "position_bytes" : null, "lag_ms" : null, "#
                    + #""streaming" : false, "synchronous" : null, "answered" : false}"#)
        }
    }

    /// Why it could not be asked, of a server that lives.
    private func livingDetail(
        _ failure: PostgresSocket.Failure, _ socket: (folder: String, port: Int),
        _ processes: PostgresProcesses
    ) throws(Failure) -> String {
        switch failure {
        case .refused(_, let message) where message.contains("shutting down"):
            throw .dead("the server refuses: \(message)")
        case .refused(let code, let message):
            return "the server lives and refuses the login: \(message) (\(code))"
        case .passwordWanted:
            return "the server lives and wants a password on its socket; let 'peer' do for the "
                + "data's owner in pg_hba.conf, or name another role with --user"
        case .late(let reason):
            let deadline = ContinuousClock.now + .milliseconds(max(100, timeoutMs / 4))
            let answers = try? PostgresSocket(
                folder: socket.folder, port: socket.port, deadline: deadline
            ).answersAtAll()
            guard answers == true else { throw .dead("the server answers nothing: \(reason)") }
            return "the server lives, and does not get to answer: \(reason)"
        case .unreachable(let reason):
            guard processes.state == "starting", !processes.living().isEmpty else {
                throw .dead(reason)
            }
            return "the server is starting"
        }
    }

    /// What the control file says, read without a program: where no process can be started, this
    /// must work. The state has stood at this place since PostgreSQL 9.
    static func role(of directory: DataDirectory) -> String {
        let bytes = readBytes(directory.inside("global/pg_control"), offset: 16, count: 4)
        guard bytes.count == 4 else { return "unknown" }
        let state = bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return switch state {
        case 6: "primary"
        case 5: "secondary"
        default: "unknown"
        }
    }

    /// Two segments: less, and the next write of WAL may fail.
    private static let fullBelowBytes: UInt64 = 32 << 20

    /// The volumes on which a server soon cannot write, or cannot any more.
    private static func fullVolumes(of directory: DataDirectory) -> [String] {
        var seen: Set<UInt64> = []
        let places = [directory.path, directory.inside("pg_wal")] + directory.tablespaces.values
        return places.compactMap { place in
            guard let device = DataDirectory.device(of: place), seen.insert(device).inserted,
                let free = DataDirectory.freeBytes(at: place), free < fullBelowBytes
            else { return nil }
            return "the volume of \(place) is full: \(Bytes.text(free)) are free"
        }
    }

    /// Of a standby whether it is late on purpose; of all, the slot that holds back most.
    private static let remarksQuery = """
        SELECT 'delay', setting FROM pg_settings
         WHERE name = 'recovery_min_apply_delay' AND setting <> '0' AND pg_is_in_recovery();
        SELECT 'slot', slot_name, held::text FROM (SELECT slot_name,
         (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
         ELSE pg_current_wal_lsn() END - restart_lsn)::bigint AS held
         FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL) AS s
         WHERE held > 160 * 1048576 ORDER BY held DESC LIMIT 1
        """

    private static func remarks(_ rows: [[String?]]) -> [String] {
        rows.compactMap { row in
            switch (row.first.flatMap(\.self), row.dropFirst().first.flatMap(\.self)) {
            case ("delay", let delay?): return "it applies changes \(delay) ms late, as configured"
            case ("slot", let name?):
                let held = row.last.flatMap(\.self).flatMap { UInt64($0) } ?? 0
                return
                    "the inactive replication slot '\(name)' holds back \(Bytes.text(held)) of WAL; "
                    + "drop it if nobody will use it"
            default: return nil
            }
        }
    }

    private static func adding(_ details: [String], isFull: Bool, to json: String) -> String {
        var added = ""
        if isFull { added += #", "full" : true"# }
        if !details.isEmpty {
            let text = String(details.joined(separator: "; ").prefix(500))
            let bytes = (try? JSONEncoder().encode(text)) ?? Data()
            added += #", "detail" : "# + String(decoding: bytes, as: UTF8.self)
        }
        return json.dropLast() + added + "}"
    }
}
