import ContinuityCore

/// Policies that change at a restart of `serve`, with the primary lost just then: a lease that was
/// granted before outlives the settings that it was granted by. One seed of sixteen has it. A
/// generator of its own, so that the other seeds go on meaning what they meant.
struct ConfigurationPlan {
    private(set) var faults: [(atMs: Int64, fault: Fault)] = []

    init(seed: UInt64, nodes: Int, faultMs: Int64) {
        guard seed % 16 == 7 else { return }
        var chance = Generator(seed: seed ^ 0xC0_4F16)
        var atMs = 8000 + chance.int(0...10_000)
        while atMs < faultMs {
            faults.append((atMs, .profileChanges(chance.pick([.lan, .standard, .relaxed]))))
            let killAtMs = atMs + chance.int(100...2000)
            faults.append((killAtMs, .serveDies(ms: chance.int(50...3000))))
            if chance.chance(600) {
                let node = chance.index(nodes) + 1
                let ms = chance.int(5000...30_000)
                let cutAtMs = killAtMs + chance.int(-1500...1500)
                for other in 0...nodes where other != node {
                    faults.append((cutAtMs, .cut(from: node, to: other, ms: ms)))
                    faults.append((cutAtMs, .cut(from: other, to: node, ms: ms)))
                }
            }
            atMs += chance.int(15_000...50_000)
        }
    }
}
