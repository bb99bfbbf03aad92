/// Makes an address wait whose credentials were wrong, twice as long each time.
package struct LoginBackoff: Sendable {
    private struct Entry {
        var failures: Int
        var until: ContinuousClock.Instant
    }

    /// Wrong ones that cost nothing yet: a person mistypes.
    package static let freeFailures = 4
    private static let secondsMax = 60
    private static let addressesMax = 10_000

    private var entries: [String: Entry] = [:]

    package init() {}

    /// - Returns: how often in a row it failed.
    package mutating func failed(_ address: String, at now: ContinuousClock.Instant) -> Int? {
        if entries[address] == nil, entries.count >= Self.addressesMax {
            entries = entries.filter { $0.value.until > now }
            guard entries.count < Self.addressesMax else { return nil }
        }
        let failures = (entries[address]?.failures ?? 0) + 1
        let doublings = min(6, failures - Self.freeFailures)
        let seconds = doublings > 0 ? min(Self.secondsMax, 1 << (doublings - 1)) : 0
        entries[address] = Entry(failures: failures, until: now + .seconds(seconds))
        return failures
    }

    package mutating func succeeded(_ address: String) { entries[address] = nil }

    /// - Returns: how long it must wait, in milliseconds, or `nil`.
    package func waitMs(_ address: String, at now: ContinuousClock.Instant) -> Int64? {
        guard let until = entries[address]?.until, until > now else { return nil }
        let left = now.duration(to: until).components
        return left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1
    }
}
