/// An entry's body for a log: a sentence where people read it, JSON where programs do.
package struct LoggedBody: CustomStringConvertible, Sendable {
    private static let bytesMax = 16 << 10

    private let entry: JournalEntry

    package init(_ entry: JournalEntry) { self.entry = entry }

    /// `nil` for one that is too long for a log; the journal has it.
    package var json: JSONValue? {
        guard entry.body.count <= Self.bytesMax else { return nil }
        return try? JSONValue(parsing: entry.body[...])
    }

    package var description: String {
        var story = RunTimeline()
        guard let body = try? JournalBody(of: entry), let line = story.take(body) else {
            return "-"
        }
        return "\(line.label): \(WireBounds.text(line.text, bytes: 1000))"
    }
}
