import Foundation

/// How long a failed delivery waits: exponential backoff with full jitter, so that alerts which
/// failed together do not come back together. A receiver's Retry-After prolongs it.
package struct RetrySchedule: Hashable, Sendable {
    package var baseMs: Int64
    package var capMs: Int64
    /// A receiver that asks for more gets this: alerts are worth little after an hour.
    package var maxRetryAfterMs: Int64

    package init(baseMs: Int64 = 200, capMs: Int64 = 60_000, maxRetryAfterMs: Int64 = 3_600_000) {
        precondition(baseMs > 0 && capMs >= baseMs && maxRetryAfterMs >= 0, "delays are positive")
        self.baseMs = baseMs
        self.capMs = capMs
        self.maxRetryAfterMs = maxRetryAfterMs
    }

    /// The wait after the attempt of that number, counted from 1.
    func delay(
        afterAttempt attempt: Int, retryAfterMs: Int64?, random: (ClosedRange<Int64>) -> Int64
    ) -> Duration {
        let doublings = min(max(0, attempt - 1), 30)
        let (product, overflow) = baseMs.multipliedReportingOverflow(by: 1 << doublings)
        let ceiling = overflow ? capMs : min(capMs, product)
        let asked = min(max(0, retryAfterMs ?? 0), maxRetryAfterMs)
        return .milliseconds(max(asked, random(0...ceiling)))
    }

    /// Milliseconds of a Retry-After header (RFC 9110 section 10.2.3): seconds or a date.
    static func retryAfterMs(_ value: String, nowSeconds: Int64) -> Int64? {
        guard let seconds = Int64(value) ?? dateSeconds(value).map({ $0 - nowSeconds }),
            seconds >= 0
        else { return nil }
        // Clamped before it is multiplied: the number is the receiver's.
        return min(seconds, 1 << 32) * 1000
    }

    /// UTC seconds of the one date format that senders may generate (RFC 9110 section 5.6.7):
    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func dateSeconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int32(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int32(words[3]),
            (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int32($0) }
        guard clock.count == 3, clock.allSatisfy({ (0...60).contains($0) }) else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, Int32(month), day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        return Int64(timegm(&parts))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
