/// How well the pool of idle workers keeps up.
package struct PoolTimes: Sendable {
    private static let refillsMax = 256

    /// The longest time without one idle worker, from when the last was taken.
    package private(set) var longestEmptyNs: Int64 = 0
    /// How long the latest workers took from being ordered to being ready.
    package private(set) var refillsNs: [Int64] = []

    private var emptySinceNs: Int64?
    private var orderedNs: [Int64] = []

    mutating func ordered(atNs nowNs: Int64) {
        if orderedNs.count < HookRuntime.workersMax { orderedNs.append(nowNs) }
    }

    mutating func arrived(atNs nowNs: Int64) {
        if let since = emptySinceNs { longestEmptyNs = max(longestEmptyNs, nowNs - since) }
        emptySinceNs = nil
        // The first workers come unasked.
        guard !orderedNs.isEmpty else { return }
        refillsNs.append(nowNs - orderedNs.removeFirst())
        if refillsNs.count > Self.refillsMax { refillsNs.removeFirst() }
    }

    mutating func emptied(atNs nowNs: Int64) { emptySinceNs = nowNs }
}
