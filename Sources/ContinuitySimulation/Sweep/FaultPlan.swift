import ContinuityCore

/// Draws a cluster, a policy and a course of faults from a seed.
struct FaultPlan {
    private var chance: Generator
    let settings: WorldSettings
    private(set) var faults: [(atMs: Int64, fault: Fault)] = []

    init(seed: UInt64, faultMs: Int64, mutation: SimulationMutation?) {
        var chance = Generator(seed: seed ^ 0x5EED_0F_FA17)
        var settings = Self.settings(seed: seed, &chance, mutation)
        // A mutation that has nothing to do with people is looked for where there are none.
        var people = PeoplePlan(seed: mutation?.isWithoutPeople == true ? 0 : seed)
        people.adapt(&settings)
        self.settings = settings
        self.chance = chance
        draw(faultMs)
        people.draw(settings, faultMs)
        faults += people.faults
        faults +=
            ConfigurationPlan(
                seed: seed, nodes: settings.cluster.nodes.count, faultMs: faultMs
            ).faults
        faults.sort { $0.atMs < $1.atMs }
    }

    /// Faults for a cluster that is given.
    init(settings: WorldSettings, faultMs: Int64) {
        chance = Generator(seed: settings.seed ^ 0x5EED_0F_FA17)
        self.settings = settings
        draw(faultMs)
    }

    // MARK: The cluster

    private static func settings(
        seed: UInt64, _ chance: inout Generator, _ mutation: SimulationMutation?
    ) -> WorldSettings {
        let shape = chance.index(10)
        let count = shape < 5 ? 3 : shape < 7 ? 4 : 5
        let witnesses = shape == 4 || shape == 6 ? 1 : 0
        let nodes = (0..<count).map { index in
            Node(
                nodeID: NodeID("node-\(index + 1)"),
                role: index == 0 ? .primary : index >= count - witnesses ? .witness : .secondary,
                region: "region-\(index % 2 + 1)", site: "site-\(index + 1)",
                agentURL: "http://node-\(index + 1):7000",
                serviceAddress: "node-\(index + 1):5432")
        }
        // Not drawn: a seed goes on meaning what it meant.
        let cluster = Cluster(
            clusterID: "simulated", nodes: nodes,
            serviceProbe: seed % 4 == 0 || mutation?.isWithoutPeople == true ? .tcp : .postgresql)
        let isSynchronous = chance.chance(600)
        var detection = chance.chance(400) ? DetectionSettings.lan : .standard
        detection.recoveryThreshold = chance.int(1...2)
        let policy = FailoverPolicy(
            policyID: "simulated", strategy: chance.chance(800) ? .automatic : .quorumBased,
            maxFailoverTimeS: chance.pick([20, 60]), requireQuorum: chance.chance(850),
            detection: detection, cooldownS: chance.pick([0, 0, 5, 20]),
            rpoS: isSynchronous ? 0 : 10,
            onServiceFailure: chance.chance(300) ? .restart : .failover,
            hooks: hooks(&chance))
        var settings = WorldSettings(
            seed: seed, cluster: cluster, policy: policy, isSynchronous: isSynchronous,
            mutation: mutation)
        settings.brake = WorldSettings.openBrake
        settings.driftPpm = chance.pick([0, 200, 10_000])
        settings.hooksFailByChance = chance.chance(300)
        return settings
    }

    private static func hooks(_ chance: inout Generator) -> [HookBinding] {
        let stages: [Stage] = [.admit, .preCheck, .demote, .promote, .dnsFlip, .verify, .notify]
        return (0..<chance.index(4)).map { number in
            HookBinding(
                stage: chance.pick(stages), timing: chance.chance(500) ? .before : .after,
                pack: "pack-\(number)", timeoutMs: chance.int(50...3000),
                retries: chance.index(2),
                onFailure: chance.pick([.abort, .continue, .rollback]),
                repeatable: chance.chance(500))
        }
    }

    // MARK: The faults

    private mutating func draw(_ faultMs: Int64) {
        let pauseMs: Int64 = chance.pick([4000, 8000, 15_000, 30_000])
        var atMs: Int64 = 6000 + chance.int(0...5000)
        while atMs < faultMs {
            episode(atMs, longestMs: faultMs - atMs)
            atMs += chance.int(pauseMs / 4...pauseMs * 2)
        }
        faults.sort { $0.atMs < $1.atMs }
    }

    private mutating func add(_ atMs: Int64, _ fault: Fault) { faults.append((atMs, fault)) }

    private mutating func length(_ longestMs: Int64) -> Int64 {
        let wanted: Int64 = chance.pick([300, 1500, 5000, 12_000, 30_000])
        return min(chance.int(wanted / 3...wanted), longestMs)
    }

    /// -1 is whichever is the primary at that time. The primary of the start more often than the others.
    private mutating func node() -> Int {
        chance.chance(350) ? 0 : chance.index(settings.cluster.nodes.count)
    }

    private mutating func dataNode() -> Int {
        let node = node()
        return settings.cluster.nodes[node].holdsData ? node : 0
    }

    private mutating func episode(_ atMs: Int64, longestMs: Int64) {
        let ms = length(longestMs)
        guard ms > 0 else { return }
        switch chance.index(23) {
        case 0, 1: add(atMs, .databaseCrashes(node: dataNode()))
        case 2: add(atMs, .databasePauses(node: dataNode(), ms: ms))
        case 3: add(atMs, .machineStops(node: node(), ms: ms))
        case 4: add(atMs, .machinePauses(node: node(), ms: ms))
        case 5: add(atMs, .agentDies(node: node(), ms: ms))
        case 6: add(atMs, .agentPauses(node: node(), ms: ms))
        case 7: add(atMs, .guardPauses(node: node(), ms: ms))
        case 8, 9: isolate(node(), atMs, ms)
        case 10: cutOne(atMs, ms)
        case 11: split(atMs, ms)
        case 12: cutFromServe(atMs, ms)
        case 13:
            add(
                atMs,
                .lossy(
                    permille: chance.int(0...300), delayMs: chance.pick([5, 50, 400, 1500]),
                    duplicatePermille: chance.int(0...300), ms: ms))
        case 14: add(atMs, .serveDies(ms: min(ms, 20_000)))
        case 15:
            add(atMs, .servePauses(ms: ms))
            if chance.chance(400) { add(atMs + ms / 2, .serveIsReplaced) }
        case 16, 17: dieAtStep(atMs, ms)
        case 18: add(atMs, .utcJumps(ms: chance.int(-120_000...120_000)))
        case 19: muteOverSlowLink(node(), atMs, ms)
        case 20: controlPlaneGap(atMs, ms)
        case 21: wakesWithOrders(dataNode(), atMs, ms)
        default: request(atMs)
        }
        // Trouble seldom comes alone.
        if chance.chance(350) { episode(atMs + chance.int(0...3000), longestMs: longestMs - 3000) }
    }

    private mutating func dieAtStep(_ atMs: Int64, _ ms: Int64) {
        let point: Fault.CrashPoint = chance.pick([
            .beforeAppend, .partOfAppend, .afterAppend, .amongEffects,
        ])
        // Best while a run is under way.
        switch chance.index(3) {
        case 0: add(atMs, .databaseCrashes(node: dataNode()))
        case 1: request(atMs)
        default: isolate(dataNode(), atMs, max(ms, 8000))
        }
        let delay: Int64 = chance.pick([0, 5, 20, 80, 300, 4000])
        add(
            atMs + chance.int(0...delay), .serveDiesAtStep(point: point, ms: chance.int(50...6000)))
    }

    private mutating func isolate(_ node: Int, _ atMs: Int64, _ ms: Int64) {
        for other in 0...settings.cluster.nodes.count where other != node + 1 {
            add(atMs, .cut(from: node + 1, to: other, ms: ms))
            add(atMs, .cut(from: other, to: node + 1, ms: ms))
        }
    }

    /// Nothing that the node sends arrives any more, what others send does, late: a lease must
    /// not count from the arrival of what grants it.
    private mutating func muteOverSlowLink(_ node: Int, _ atMs: Int64, _ ms: Int64) {
        add(
            atMs,
            .lossy(
                permille: chance.int(100...500), delayMs: chance.pick([200, 400, 800]),
                duplicatePermille: chance.int(0...300), ms: ms))
        let cutMs = atMs + chance.int(500...4000)
        for other in 0...settings.cluster.nodes.count where other != node + 1 {
            add(cutMs, .cut(from: node + 1, to: other, ms: ms))
        }
    }

    /// `serve` is away for so long that the primary lives by promises, and the primary is lost
    /// when it is back, while packets come twice.
    private mutating func controlPlaneGap(_ atMs: Int64, _ ms: Int64) {
        let awayMs = chance.int(1000...9000)
        add(atMs, chance.chance(500) ? .servePauses(ms: awayMs) : .serveDies(ms: awayMs))
        let backMs = atMs + awayMs
        add(
            backMs - 500,
            .lossy(permille: 50, delayMs: 5, duplicatePermille: 600, ms: max(ms, 3000)))
        add(backMs + chance.int(-300...2500), .databaseCrashes(node: -1))
    }

    /// An agent gets its orders only when it wakes, long after their sender has given up.
    private mutating func wakesWithOrders(_ node: Int, _ atMs: Int64, _ ms: Int64) {
        let pausedMs = max(ms, 11_000)
        add(atMs, .databaseCrashes(node: node))
        add(atMs + chance.int(0...1500), .agentPauses(node: node, ms: pausedMs))
        if chance.chance(500) { request(atMs + chance.int(0...4000)) }
    }

    private mutating func cutOne(_ atMs: Int64, _ ms: Int64) {
        let from = chance.index(settings.cluster.nodes.count + 1)
        let to = chance.index(settings.cluster.nodes.count + 1)
        guard from != to else { return }
        add(atMs, .cut(from: from, to: to, ms: ms))
        if chance.chance(400) { add(atMs, .cut(from: to, to: from, ms: ms)) }
    }

    private mutating func cutFromServe(_ atMs: Int64, _ ms: Int64) {
        let way = chance.index(3)
        for machine in 1...settings.cluster.nodes.count where chance.chance(600) {
            if way != 0 { add(atMs, .cut(from: 0, to: machine, ms: ms)) }
            if way != 1 { add(atMs, .cut(from: machine, to: 0, ms: ms)) }
        }
    }

    private mutating func split(_ atMs: Int64, _ ms: Int64) {
        let side = (0...settings.cluster.nodes.count).map { _ in chance.chance(500) }
        for from in side.indices {
            for to in side.indices where side[from] != side[to] {
                add(atMs, .cut(from: from, to: to, ms: ms))
            }
        }
    }

    private mutating func request(_ atMs: Int64) {
        let target = chance.chance(500) ? chance.index(settings.cluster.nodes.count) : nil
        add(
            atMs,
            .request(kind: chance.chance(600) ? .switchover : .failover, target: target))
    }
}
