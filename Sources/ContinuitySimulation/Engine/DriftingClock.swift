/// One machine's clock: it starts anywhere and runs at a speed of its own. It goes on while the
/// machine is paused, as `CLOCK_BOOTTIME` does.
struct DriftingClock: Sendable {
    var offsetMs: Int64 = 0
    /// How much faster than true time, in millionths.
    var driftPpm: Int64 = 0
    /// How far UTC is off; it may jump.
    var utcOffsetMs: Int64 = 0

    static let epochUTCMs: Int64 = 1_700_000_000_000

    func local(_ trueMs: Int64) -> Int64 { offsetMs + trueMs + trueMs * driftPpm / 1_000_000 }

    /// The first true millisecond at which this clock shows `localMs` or more.
    func trueTime(ofLocal localMs: Int64) -> Int64 {
        var guess = (localMs - offsetMs) * 1_000_000 / (1_000_000 + driftPpm) - 1
        while local(guess) < localMs { guess += 1 }
        return guess
    }

    func utc(_ trueMs: Int64) -> Int64 { Self.epochUTCMs + trueMs + utcOffsetMs }
}
