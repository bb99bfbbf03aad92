import ContinuityCore

/// One database server with streaming replication.
///
/// Its log is the list of the writes that it holds, in order. Each write has a number that no
/// other write has, so two logs that agree at one place agree in everything before it.
struct DatabaseModel {
    var isRunning = true
    var role: ServiceReport.Role
    var pausedUntilMs: Int64 = 0
    var log: [Int32] = []
    /// The node it takes changes from.
    var upstream: Int?
    var isStreaming = false
    /// Of each write that waits for its first standby: its place in the log and who asked.
    var waiting: [(length: Int, client: Int)] = []
    /// Until when it is excused for being writable beside another: it has just woken, and its
    /// guard needs a moment.
    var excusedUntilMs: Int64 = 0

    func isPaused(_ nowMs: Int64) -> Bool { nowMs < pausedUntilMs }

    /// Whether this log is the beginning of `other`.
    func isPrefix(of other: DatabaseModel) -> Bool {
        guard log.count <= other.log.count else { return false }
        guard let last = log.last else { return true }
        return other.log[log.count - 1] == last
    }

    static let bytesPerWrite: Int64 = 100
    var positionBytes: Int64 { 1000 + Int64(log.count) * Self.bytesPerWrite }

    mutating func stop() {
        isRunning = false
        isStreaming = false
        waiting = []
        pausedUntilMs = 0
    }
}
