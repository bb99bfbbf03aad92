/// A mistake in a file that a person wrote: where it stands, what is wrong, and what to do.
package struct ConfigError: Error, Equatable, CustomStringConvertible {
    package let file: String
    /// Counted from 1; `nil` when the mistake has no line (the file cannot be read, say).
    package let line: Int?
    package let message: String
    package let remedy: String

    package init(file: String, line: Int?, message: String, remedy: String) {
        self.file = file
        self.line = line
        self.message = message
        self.remedy = remedy
    }

    package var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return remedy.isEmpty ? "\(place): \(message)" : "\(place): \(message); \(remedy)"
    }
}
