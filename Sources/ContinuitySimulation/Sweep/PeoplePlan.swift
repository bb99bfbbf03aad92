import ContinuityCore

/// What people do beside the faults: pauses, maintenance, arranged moves, requests that others
/// must approve; or a cluster in which every node serves. Three seeds of eight have one of these.
/// It has a generator of its own, so that the other seeds go on meaning what they meant.
struct PeoplePlan {
    enum Course {
        case nobody, busy, activeActive
    }

    let course: Course
    private var chance: Generator
    private(set) var faults: [(atMs: Int64, fault: Fault)] = []
    private var nodeCount = 0
    private var id: ClusterID = ""

    init(seed: UInt64) {
        chance = Generator(seed: seed ^ 0x0F_F1_CE)
        course = seed % 8 == 5 ? .activeActive : seed % 8 == 3 || seed % 8 == 4 ? .busy : .nobody
    }

    /// Makes the drawn cluster one that this course can happen to.
    mutating func adapt(_ settings: inout WorldSettings) {
        guard course != .nobody else { return }
        if course == .activeActive { activate(&settings) }
        if chance.chance(500) {
            settings.policy.approvals = ApprovalPolicy(
                failover: Int(chance.int(0...2)), switchover: Int(chance.int(0...1)),
                expiresS: chance.pick([30, 60, 600]))
        }
    }

    private mutating func activate(_ settings: inout WorldSettings) {
        settings.cluster.topology = .activeActive
        for index in settings.cluster.nodes.indices where settings.cluster.nodes[index].holdsData {
            settings.cluster.nodes[index].role = .primary
            settings.cluster.nodes[index].weight = chance.int(20...200)
        }
        let total = settings.cluster.totalWeight
        for index in settings.cluster.nodes.indices {
            // At least what it bears from the start, rounded up.
            let least = (settings.cluster.nodes[index].weight * 100 + total - 1) / total
            settings.cluster.nodes[index].capacity = min(100, least + chance.int(0...60))
        }
        settings.isSynchronous = false
        settings.policy.rpoS = 10
        settings.policy.weights = WeightSettings(
            returnStepPermille: chance.pick([250, 500, 1000]),
            returnIntervalS: chance.pick([1, 10, 30]),
            onCapacityExceeded: chance.chance(700) ? .shed : .hold)
    }

    // MARK: What they do

    mutating func draw(_ settings: WorldSettings, _ faultMs: Int64) {
        guard course != .nobody else { return }
        nodeCount = settings.cluster.nodes.count
        id = settings.cluster.clusterID
        var atMs = 4000 + chance.int(0...8000)
        while atMs < faultMs {
            act(atMs)
            atMs += chance.int(1000...15_000)
        }
    }

    private mutating func add(_ atMs: Int64, _ fault: Fault) { faults.append((atMs, fault)) }

    private mutating func wish() -> SuspensionWish {
        SuspensionWish(owner: "netops", reason: "work", durationS: chance.int(1...40))
    }

    private mutating func someNode() -> NodeID? {
        chance.chance(300) ? nil : NodeID("node-\(chance.int(1...Int64(nodeCount)))")
    }

    private mutating func kind() -> PlanKind { chance.chance(600) ? .switchover : .failover }

    private mutating func target() -> Int? {
        chance.chance(500) ? chance.index(nodeCount) : nil
    }

    private mutating func act(_ atMs: Int64) {
        switch chance.index(12) {
        case 0: add(atMs, .order(.pause(id, wish())))
        case 1: add(atMs, .order(.resume(id, reason: "done")))
        case 2, 3: add(atMs, .order(.beginMaintenance(id, someNode(), wish())))
        case 4: add(atMs, .order(.endMaintenance(id, someNode(), reason: "done")))
        case 5, 6:
            add(
                atMs,
                .person(
                    .arranges(
                        kind(), target: target(), inMs: chance.int(0...20_000),
                        windowS: chance.pick([0, 5, 30]))))
            // The process dies when it is due, or somebody thinks better of it.
            if chance.chance(200) {
                add(
                    atMs + chance.int(0...20_000),
                    .serveDiesAtStep(
                        point: chance.pick([.partOfAppend, .afterAppend, .beforeAppend]),
                        ms: chance.int(50...3000)))
            }
        case 7: add(atMs, .order(.cancelSchedule(id, reason: "no need")))
        default: ask(atMs)
        }
    }

    /// A request, and what others say to it.
    private mutating func ask(_ atMs: Int64) {
        add(
            atMs,
            .person(
                .asks(
                    kind(), target: target(), acceptsLoss: chance.chance(200),
                    breaksGlass: chance.chance(150))))
        var answerAtMs = atMs
        for _ in 0..<chance.index(4) {
            answerAtMs += chance.pick([1, 200, 3000, 20_000])
            add(
                answerAtMs,
                .person(
                    chance.chance(900)
                        ? .approves(person: chance.index(3)) : .refuses(person: chance.index(3))))
        }
    }
}
