/// Orders that may make the service a primary: those under way, and those of which nobody knows
/// what came. While there is one the service counts as primary for the guard and at shutdown.
package struct PromotionWatch: Sendable {
    /// How long after an order that did not reach its goal the service may yet become primary by
    /// it: a server that was told to promote goes on when the program that told it is killed.
    package static let doubtMs: Int64 = 30_000

    private(set) var underWay = 0
    private var limit: BootInstant?
    private var doubtUntil: BootInstant?

    package init() {}

    /// - Parameter until: no promotion goes on for longer than the latest order for one allows.
    package mutating func begin(until: BootInstant) {
        underWay += 1
        limit = until
    }

    /// - Parameter isSettled: the order was refused, or reached its goal.
    package mutating func end(isSettled: Bool, at now: BootInstant) {
        underWay -= 1
        if !isSettled { doubt(from: now) }
    }

    /// An order was begun and nobody knows what came of it.
    package mutating func doubt(from now: BootInstant) { doubtUntil = now + Self.doubtMs }

    /// The service was seen stopped, or as the primary: there is nothing to wait for.
    package mutating func settle() { doubtUntil = nil }

    package var isUnderWay: Bool { underWay > 0 }

    /// Whether the service may become primary at any moment.
    package func mayYetPromote(at now: BootInstant) -> Bool {
        underWay > 0 || doubtUntil.map { now < $0 } == true
    }

    /// When the guard has to fence if the agent dies now; `nil`: there is nothing of this to guard.
    /// Until the service is seen as primary nobody renews its lease, so the agent moves it ahead.
    package func guardDeadline(graceMs: Int64, at now: BootInstant) -> BootInstant? {
        if underWay > 0, let limit { return min(now + graceMs, limit + graceMs) }
        guard let doubtUntil, now < doubtUntil else { return nil }
        return min(now + graceMs, doubtUntil)
    }
}
