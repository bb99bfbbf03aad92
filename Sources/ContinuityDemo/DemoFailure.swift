/// Why the demo did not hold: a reason for people, and where to look.
struct DemoFailure: Error, CustomStringConvertible {
    let reason: String
    /// The end of the logs that may tell why. May be empty.
    let details: String

    init(_ reason: String, details: String = "") {
        self.reason = reason
        self.details = details
    }

    var description: String { details.isEmpty ? reason : "\(reason)\n\(details)" }
}
