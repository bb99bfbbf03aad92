/// Token buckets by name: a steady rate, and twice as many at once after a rest.
package struct RateLimiter: Sendable {
    private struct Bucket {
        var level: Double
        var filledAt: ContinuousClock.Instant
    }

    /// Names that are remembered; then those whose bucket is full are forgotten.
    private static let namesMax = 10_000

    private let perSecond: Double
    private var buckets: [String: Bucket] = [:]

    package init(perSecond: Int) { self.perSecond = Double(max(1, perSecond)) }

    /// - Returns: `nil` when it may go on, else how long to wait, in milliseconds.
    package mutating func take(_ name: String, at now: ContinuousClock.Instant) -> Int64? {
        if buckets[name] == nil, buckets.count >= Self.namesMax { forget(now) }
        let capacity = perSecond * 2
        var bucket = buckets[name] ?? Bucket(level: capacity, filledAt: now)
        bucket.level = min(capacity, bucket.level + seconds(bucket.filledAt, now) * perSecond)
        bucket.filledAt = now
        defer { buckets[name] = bucket }
        guard bucket.level < 1 else {
            bucket.level -= 1
            return nil
        }
        return Int64(((1 - bucket.level) / perSecond * 1000).rounded(.up))
    }

    private mutating func forget(_ now: ContinuousClock.Instant) {
        let full = buckets.filter {
            $0.value.level + seconds($0.value.filledAt, now) * perSecond >= perSecond * 2
        }
        for name in full.keys { buckets[name] = nil }
        // All of them are busy: whoever is new finds no memory of others, and none of itself.
        if buckets.count >= Self.namesMax { buckets = [:] }
    }

    private func seconds(
        _ from: ContinuousClock.Instant, _ to: ContinuousClock.Instant
    ) -> Double {
        let duration = from.duration(to: to)
        return Double(duration.components.seconds)
            + Double(duration.components.attoseconds) / 1e18
    }
}
