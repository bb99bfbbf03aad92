/// Why a server does not start or does not stream, by what it wrote in its log.
enum StartFailure: Equatable, Sendable {
    /// Its data cannot follow the primary: another way of rejoining would mend it.
    case data(String)
    /// A new copy would have the same: a port, permissions, configuration, memory.
    case surroundings(String)
    /// The primary, or the way to it, refuses.
    case primary(String)

    private static let phrases: [(String, @Sendable (String) -> StartFailure)] = [
        // Of the data.
        ("has already been removed", StartFailure.data),
        ("is ahead of the WAL flush position", StartFailure.data),
        ("before current recovery point", StartFailure.data),
        ("is not a child of this server's history", StartFailure.data),
        ("does not contain minimum recovery point", StartFailure.data),
        ("is behind recovery timeline", StartFailure.data),
        ("could not locate a valid checkpoint record", StartFailure.data),
        ("could not locate required checkpoint record", StartFailure.data),
        ("invalid checkpoint record", StartFailure.data),
        ("invalid primary checkpoint record", StartFailure.data),
        ("could not find redo location", StartFailure.data),
        ("WAL ends before", StartFailure.data),
        ("incorrect prev-link", StartFailure.data),
        ("terminating walreceiver process", StartFailure.data),
        ("WAL contains references to invalid pages", StartFailure.data),
        ("database system identifier differs", StartFailure.data),
        ("incorrect checksum in control file", StartFailure.data),
        ("control file contains invalid", StartFailure.data),
        ("could not open control file", StartFailure.data),
        // Around it.
        ("could not bind", StartFailure.surroundings),
        ("could not create any", StartFailure.surroundings),
        ("lock file", StartFailure.surroundings),
        ("pre-existing shared memory block", StartFailure.surroundings),
        ("could not map anonymous shared memory", StartFailure.surroundings),
        ("could not create shared memory segment", StartFailure.surroundings),
        ("could not create semaphores", StartFailure.surroundings),
        ("Cannot allocate memory", StartFailure.surroundings),
        ("No space left on device", StartFailure.surroundings),
        ("Permission denied", StartFailure.surroundings),
        ("has wrong ownership", StartFailure.surroundings),
        ("has invalid permissions", StartFailure.surroundings),
        ("contains errors", StartFailure.surroundings),
        ("unrecognized configuration parameter", StartFailure.surroundings),
        ("invalid value for parameter", StartFailure.surroundings),
        ("syntax error in file", StartFailure.surroundings),
        ("could not load", StartFailure.surroundings),
        ("could not access", StartFailure.surroundings),
        ("insufficient parameter settings", StartFailure.surroundings),
        ("is a lower setting than", StartFailure.surroundings),
        // Of the primary.
        ("could not connect to the primary", StartFailure.primary),
        ("could not start WAL streaming", StartFailure.primary),
        ("could not receive data from WAL stream", StartFailure.primary),
    ]

    /// What a line says that is so bad that the server ended, or says again and again.
    ///
    /// - Parameter lines: of the log since the start.
    /// - Parameter isDead: then one line is enough. A living server says much in passing: what it
    ///   says three times, it does not get over. What it lacks in settings it says once and waits.
    static func find(in lines: [Substring], isDead: Bool) -> StartFailure? {
        var counts: [String: Int] = [:]
        var last: StartFailure?
        for line in lines {
            guard let found = phrases.first(where: { line.contains($0.0) }),
                isDead || !line.contains("DETAIL:")
            else { continue }
            let failure = found.1(message(in: line))
            counts[found.0, default: 0] += 1
            if isDead {
                // The cause comes first; data in question are named by what ends the server.
                if last == nil || line.contains("FATAL:") || line.contains("PANIC:") {
                    last = failure
                }
            } else if counts[found.0] ?? 0 >= 3 || found.0.contains("setting") {
                return failure
            }
        }
        return last
    }

    /// Without the time and process in front.
    private static func message(in line: Substring) -> String {
        for level in ["FATAL:", "PANIC:", "ERROR:", "WARNING:", "LOG:"] {
            if let range = line.firstRange(of: level) {
                return String(line[range.upperBound...].drop { $0 == " " })
            }
        }
        return String(line)
    }
}

/// What one step of a rejoin did not do, and what follows from it.
struct RejoinFailure: Error {
    enum Consequence: Sendable {
        /// The next step would mend it.
        case nextStep
        /// No step would: the person is told, and nothing is done.
        case stop
        /// The server works as far as can be told: it goes on.
        case leaveRunning
    }

    let message: String
    var details = ""
    let consequence: Consequence

    init(_ message: String, details: String = "", _ consequence: Consequence) {
        self.message = message
        self.details = details
        self.consequence = consequence
    }

    var error: PostgresError { PostgresError(message, details: details) }
}
