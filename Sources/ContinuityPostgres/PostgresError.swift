/// Something that PostgreSQL, or one of its programs, did not do.
package struct PostgresError: Error, CustomStringConvertible {
    /// One line: what failed and what to do about it.
    package let message: String
    /// The end of the program's output or of the server's log, for people. May be empty.
    package let details: String

    package init(_ message: String, details: String = "") {
        self.message = message
        self.details = details
    }

    package var description: String {
        details.isEmpty ? message : "\(message)\n\(details)"
    }
}
