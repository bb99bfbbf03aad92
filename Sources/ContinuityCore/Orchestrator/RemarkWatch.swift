/// When people are told of what a running service says of itself: that its volume is full, say.
///
/// The text is another process's and may change with each report, so news are what begins and what
/// ends, each once it has lasted, and not again within ten minutes.
struct RemarkWatch: Hashable, Sendable {
    enum News: Hashable, Sendable {
        case begun(String)
        case ended
    }

    private static let againMs: Int64 = 600_000

    private(set) var text = ""
    /// Since when there is a remark, or none.
    private var sinceMs: Int64?
    private var isTold = false
    private var toldAtMs: Int64?

    mutating func hear(_ remark: String, atMs now: Int64) {
        if remark.isEmpty != text.isEmpty || sinceMs == nil { sinceMs = now }
        text = remark
    }

    mutating func distrust(atMs now: Int64) { if sinceMs != nil { sinceMs = now } }

    /// - Parameter lastingMs: how long it must have been so.
    mutating func news(lastingMs: Int64, atMs now: Int64) -> News? {
        guard let sinceMs, now - sinceMs >= lastingMs, text.isEmpty == isTold else { return nil }
        guard !isTold else {
            isTold = false
            return .ended
        }
        if let toldAtMs, now - toldAtMs < Self.againMs { return nil }
        (isTold, toldAtMs) = (true, now)
        return .begun(text)
    }
}
