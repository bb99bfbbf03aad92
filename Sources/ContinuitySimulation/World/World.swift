import ContinuityCore
import ContinuityCrypto
import ContinuityNode

/// A cluster with its orchestrator, in simulated time. Confined to one task.
///
/// The orchestrator is the real core; agents, guards, databases, clients and the network are
/// models. Time is true time in milliseconds, which no part of the world can see: each machine
/// has a clock of its own.
final class World {
    let settings: WorldSettings
    let cluster: Cluster
    var nowMs: Int64 = 0
    var events = EventQueue()
    var eventCount = 0

    var chance: Generator
    var networkChance: Generator
    var hookChance: Generator
    var nodeChance: Generator

    var clocks: [DriftingClock] = []
    var agents: [AgentModel] = []
    var databases: [DatabaseModel] = []
    var machineIsUp: [Bool] = []
    var network: Network
    var serve: ServeModel
    var clients: [ClientModel] = []
    var nextWrite: Int32 = 1
    var writes = WriteLedger()
    /// What the policy's file says now, where it was changed.
    var profile: DetectionSettings.Profile?
    var hookBehaviours: [String: Fault.HookBehaviour] = [:]
    /// What hook outcomes of a what-if rest on, in the order in which they came.
    var hookBases: [WhatIf.HookBasis] = []
    var assumedOperations: Set<OperationKey> = []
    var failingOrders: [AgentCommand.Name: Set<Int>] = [:]
    var hangingShutdowns: Set<Int> = []

    var checker = Checker()
    var violation: Violation?
    var lines: [String] = []
    var decisions: [Decision] = []
    /// The last run, as its entries tell it.
    var lastRun: RunFacts?

    var clusterID: ClusterID { cluster.clusterID }
    var nodeCount: Int { cluster.nodes.count }

    init(_ settings: WorldSettings) {
        self.settings = settings
        cluster = settings.cluster
        var root = Generator(seed: settings.seed)
        chance = root.fork()
        networkChance = root.fork()
        hookChance = root.fork()
        nodeChance = root.fork()
        network = Network(machines: settings.cluster.nodes.count + 1)
        serve = ServeModel()
        makeMachines()
        startServe()
    }

    private func makeMachines() {
        let primary = cluster.nodes.firstIndex { $0.role == .primary } ?? 0
        for machine in 0...nodeCount {
            var clock = DriftingClock()
            clock.offsetMs = 1_000_000 + Int64(machine) * 77_777
            if settings.driftPpm > 0 {
                clock.driftPpm = chance.int(-settings.driftPpm...settings.driftPpm)
            }
            if machine > 0, settings.mutation == .agentClocksCrawl { clock.driftPpm = -500_000 }
            if machine == 0, settings.mutation == .orchestratorClockRuns {
                clock.driftPpm = 2_000_000
            }
            clocks.append(clock)
            machineIsUp.append(true)
        }
        for (index, node) in cluster.nodes.enumerated() {
            let isActive =
                index == primary
                || (cluster.topology == .activeActive && node.role == .primary)
            var database = DatabaseModel(role: isActive ? .primary : .secondary)
            if !isActive {
                database.upstream = primary
                database.isStreaming = true
            }
            if !node.holdsData { database.isRunning = false }
            databases.append(database)
            let lease = Lease(
                agentStartedAt: BootInstant(milliseconds: clocks[index + 1].local(0)))
            agents.append(
                AgentModel(
                    lease: lease, views: Array(repeating: nil, count: nodeCount),
                    seen: ServiceReport(state: .unknown, role: .unknown)))
            events.add(.agentProbes(node: index, boot: 1), atMs: chance.int(1...50))
            events.add(.agentReports(node: index, boot: 1), atMs: chance.int(60...400))
            if node.holdsData { events.add(.walPolls(node: index), atMs: chance.int(1...300)) }
        }
        for (index, machine) in [primary + 1, nodeCount, 2].enumerated() where machine <= nodeCount
        {
            clients.append(ClientModel(machine: machine))
            events.add(.clientWrites(client: index), atMs: 500 + Int64(index) * 37)
        }
    }

    // MARK: Time

    func localMs(_ node: Int) -> Int64 { clocks[node + 1].local(nowMs) }

    /// Now on this node's boot clock.
    func boot(_ node: Int) -> BootInstant { BootInstant(milliseconds: localMs(node)) }

    /// Schedules at this node's own clock.
    func at(localMs: Int64, _ node: Int, _ event: Event) {
        events.add(event, atMs: max(nowMs, clocks[node + 1].trueTime(ofLocal: localMs)))
    }

    func after(_ ms: Int64, _ event: Event) { events.add(event, atMs: nowMs + ms) }

    /// Runs until `endMs`, a violation, or until `isEnough` says so.
    func run(untilMs endMs: Int64, isEnough: (World) -> Bool = { _ in false }) {
        while violation == nil, let next = events.nextAtMs, next <= endMs {
            guard let item = events.take() else { return }
            nowMs = item.atMs
            eventCount += 1
            handle(item.event)
            checkPrimaries()
            if isEnough(self) { return }
        }
        if violation == nil { nowMs = max(nowMs, endMs) }
    }

    private func handle(_ event: Event) {
        switch event {
        case .tick(let process): tick(process)
        case .deliver(let message): deliver(message)
        case .orderTimedOut(let effect, let unreachable): orderTimedOut(effect, unreachable)
        case .orderAskedAgain(let effect): askAgain(effect)
        case .denialEnds(let node, let boot, let command, let effect):
            denialEnds(node, boot, command, effect)
        case .hookEnds(let effect): hookEnds(effect)
        case .alertSettles(let effect): alertSettles(effect)
        case .agentReports(let node, let boot): agentReports(node, boot)
        case .agentProbes(let node, let boot): agentProbes(node, boot)
        case .agentChecksLease(let node, let boot, let token): leaseTimer(node, boot, token)
        case .jobEnds(let node, let boot, let job): jobEnds(node, boot, job)
        case .promotesAlone(let node): promotesAlone(node)
        case .guardLooks(let node, let token): guardLooks(node, token)
        case .walArrives(let from, let to, let length): walArrives(from, to, length)
        case .walAcknowledged(let from, let to, let length): walAcknowledged(from, to, length)
        case .walPolls(let node): walPolls(node)
        case .clientWrites(let client): clientWrites(client)
        case .fault(let fault): begin(fault)
        case .faultEnds(let fault): end(fault)
        case .look: break
        }
    }

    // MARK: Telling

    func trace(_ text: @autoclosure () -> String) {
        guard settings.isTraced else { return }
        let seconds = nowMs / 1000
        let rest = String(nowMs % 1000)
        let stamp = "\(seconds)." + String(repeating: "0", count: 3 - rest.count) + rest
        lines.append(String(repeating: " ", count: max(0, 8 - stamp.count)) + stamp + "  " + text())
    }

    func violate(_ rule: String, _ detail: String) {
        guard violation == nil else { return }
        violation = Violation(rule: rule, detail: detail, atMs: nowMs)
        trace("VIOLATION \(rule): \(detail)")
    }

    func name(_ node: Int) -> String { cluster.nodes[node].nodeID.rawValue }
    func index(of id: NodeID) -> Int? { cluster.nodes.firstIndex { $0.nodeID == id } }
}
