import ContinuityTransport
import HTTPTypes

/// Tells a request that was made now from one that somebody sends again.
///
/// Each carries the time at which it was made and a number that was never used. Within the window
/// the numbers are remembered; beyond it, and from before the start of this process, everything is
/// refused, so that nothing needs to be remembered over a restart.
struct ReplayGuard: Sendable {
    /// How old a request may be.
    static let windowMs: Int64 = 30_000
    /// How far the other side's clock may be ahead; the request waits for its time.
    static let aheadMsMax: Int64 = 2000
    private static let noncesMax = 100_000

    static let timestampField = HTTPField.Name("continuity-timestamp")
    static let nonceField = HTTPField.Name("continuity-nonce")

    struct Stamp {
        var atMs: Int64
        var nonce: String

        /// - Throws: ``Problem`` when the headers are missing or not of their form.
        init(_ headers: HTTPFields) throws {
            guard let timeName = ReplayGuard.timestampField,
                let nonceName = ReplayGuard.nonceField,
                let time = headers[timeName], let atMs = Int64(time), atMs > 0,
                let nonce = headers[nonceName], (16...64).contains(nonce.utf8.count),
                nonce.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw Problem(
                    .badRequest, "no-nonce",
                    "send the time as 'Continuity-Timestamp: <milliseconds since 1970>' and a "
                        + "random 'Continuity-Nonce' of 16 to 64 characters without blanks")
            }
            self.atMs = atMs
            self.nonce = nonce
        }
    }

    private let startedAtMs: Int64
    private var seen: [String: Int64] = [:]

    init(startedAtMs: Int64) { self.startedAtMs = startedAtMs }

    /// - Throws: ``Problem`` when it must not be carried out.
    mutating func check(_ stamp: Stamp, of name: String, nowMs: Int64) throws {
        func stale(_ detail: String) -> Problem { Problem(.conflict, "stale-request", detail) }
        guard stamp.atMs <= nowMs else {
            throw stale(
                "it was made \(stamp.atMs - nowMs) ms in the future; set the clock of your machine")
        }
        guard nowMs - stamp.atMs <= Self.windowMs else {
            throw stale("it was made \(nowMs - stamp.atMs) ms ago; make it anew")
        }
        guard stamp.atMs > startedAtMs else {
            throw stale("it was made before this server started; make it anew")
        }
        if seen.count >= Self.noncesMax { seen = seen.filter { nowMs - $0.value <= Self.windowMs } }
        guard seen.count < Self.noncesMax else {
            throw Problem(
                .tooManyRequests, "too-many-requests", "too many changes are asked for",
                headers: [.retryAfter: "30"])
        }
        let key = "\(name)\n\(stamp.nonce)"
        guard seen[key] == nil else { throw stale("it was carried out before; make it anew") }
        seen[key] = stamp.atMs
    }
}
