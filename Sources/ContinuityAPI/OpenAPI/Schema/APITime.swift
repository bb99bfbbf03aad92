import ContinuityCore

/// Times in requests: RFC 3339, by the same rules as in files.
enum APITime {
    /// UTC milliseconds since 1970, what is below a millisecond cut off; `nil`: it is no such time.
    static func milliseconds(of text: String) -> Int64? { RFC3339.utcMs(text) }
}
