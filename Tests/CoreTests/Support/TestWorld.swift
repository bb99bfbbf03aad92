import ContinuityCore

/// A world for the orchestrator: agents and hooks that answer as told, a clock that moves when
/// told, a journal that keeps everything. It refuses what a shell must never do: an effect whose
/// intent is not in the journal.
struct TestWorld {
    struct Service: Hashable {
        var state: ServiceReport.State = .running
        var role: ServiceReport.Role
        var position: Int64 = 1000
        var lagMs: Int64 = 0
        var streaming = true
        var detail = ""
        var agentIsUp = true
        /// What the status program says of its commits; `nil`: nothing.
        var isSynchronous: Bool?
    }

    var orchestrator: Orchestrator
    var journal: [JournalEntry] = []
    var services: [NodeID: Service] = [:]
    var hookAnswers: [String: HookOutcome] = [:]
    /// Commands that do not succeed, by name, with what comes back instead.
    var commandFailures: [AgentCommand.Name: CommandResult.Outcome] = [:]
    /// Commands that are not answered: they are kept with the held effects.
    var unanswered: Set<AgentCommand.Name> = []
    /// Packs that are not answered.
    var unansweredHooks: Set<String> = []
    /// Effects are kept here instead of being answered, while it is true.
    var holdsEffects = false
    var heldEffects: [Effect] = []
    var delivered: [AlertID] = []
    var commands: [AgentCommand] = []
    var hooks: [HookCall] = []
    var nowMs: Int64 = 1_000_000
    var sequence: Int64 = 0
    /// What the agents' clocks show; those that are not named do not say.
    var clockMs: [NodeID: Int64] = [:]
    /// What the agents say that they are at.
    var work: [NodeID: NodeWork] = [:]
    /// Whom the agents obey; those that are not named have heard nobody.
    var leaderships: [NodeID: (epoch: Int64, instanceID: String?)] = [:]
    /// By which rule the agents ask for promises; those that are not named do not say.
    var promiseRules: [NodeID: String] = [:]
    var isUnleased: Set<NodeID> = []
    /// Agents that do not know a request to deny promises.
    var deniesNothing: Set<NodeID> = []
    /// Nodes whose promotion ends with an error.
    var failingPromotions: Set<NodeID> = []
    /// Standbys that no changes reach, wherever they are pointed to.
    var unfed: Set<NodeID> = []
    /// Nodes whose program finds that their data is another history.
    var diverged: Set<NodeID> = []
    /// Whose positions are not told when they are asked for.
    var silentPositions: Set<NodeID> = []
    /// Secondaries that never come to take changes from a new primary.
    var neverStreaming: Set<NodeID> = []
    /// Services whose orderly stop does not end: they serve nobody, until they are killed.
    var hangingStops: Set<NodeID> = []
    /// Nodes whose `prepare` finds something against a stop.
    var hindered: Set<NodeID> = []
    /// Targets that a hook vetoes, by its pack.
    var vetoes: [String: Set<String>] = [:]
    /// How far UTC has jumped.
    var utcOffsetMs: Int64 = 0
    /// Services that their own node has fenced.
    var fenced: Set<NodeID> = []
    var brake = BrakeSettings()
    /// What the files say.
    var cluster: Cluster
    var policy: FailoverPolicy

    init(
        cluster: Cluster = sampleCluster(), policy: FailoverPolicy = samplePolicy(),
        startMs: Int64 = 1_000_000
    ) {
        nowMs = startMs
        self.cluster = cluster
        self.policy = policy
        orchestrator = Orchestrator(state: OrchestratorState(), digest: .real)
        for node in cluster.nodes where node.holdsData {
            services[node.nodeID] = Service(
                role: node.role == .primary ? .primary : .secondary,
                streaming: node.role != .primary)
        }
        start()
    }

    var now: Moment { Moment(monotonicMs: nowMs, utcMs: 1_700_000_000_000 + nowMs + utcOffsetMs) }
    var state: ClusterState {
        guard let state = orchestrator.state.clusters[cluster.clusterID] else {
            preconditionFailure("the cluster is configured by start()")
        }
        return state
    }
    var kinds: [String] { journal.map(\.kind) }

    mutating func start() {
        step(
            .leadershipGained(
                instanceID: "test",
                clusters: [
                    ClusterConfigured(cluster: cluster, policy: policy, alertChannels: ["oncall"])
                ], brake: brake))
    }

    /// The process ends and starts again with what of the journal is durable.
    mutating func restart(keeping count: Int) throws {
        journal = Array(journal.prefix(count))
        var state = OrchestratorState()
        for entry in journal { try state.replay(entry) }
        orchestrator = Orchestrator(state: state, digest: .real)
        heldEffects = []
        start()
    }

    @discardableResult
    mutating func step(_ input: Input) -> Reply? {
        let result = orchestrator.step(input, at: now)
        journal += result.entries
        for effect in result.effects {
            requireIntent(effect)
            if holdsEffects || isUnanswered(effect) {
                heldEffects.append(effect)
            } else {
                carryOut(effect)
            }
        }
        return result.reply
    }

    private func isUnanswered(_ effect: Effect) -> Bool {
        switch effect {
        case .command(let command, _): return unanswered.contains(command.name)
        case .hook(let call): return unansweredHooks.contains(call.binding.pack)
        case .deliver: return false
        }
    }

    private func requireIntent(_ effect: Effect) {
        let isIntended: Bool
        switch effect {
        case .command(let command, _): isIntended = intends(command.key)
        case .hook(let call): isIntended = intends(call.operation.key)
        case .deliver(let alert, _):
            isIntended = journal.contains {
                if case .alertQueued(let body)? = try? JournalBody(of: $0) {
                    return body.alert == alert
                }
                return false
            }
        }
        precondition(isIntended, "an effect left before its intent was journaled: \(effect)")
    }

    private func intends(_ key: OperationKey) -> Bool {
        journal.contains {
            switch try? JournalBody(of: $0) {
            case .operationIntended(let body): return body.operation.key == key
            case .drillStep(let body):
                guard case .operationIntended(let nested) = body.step else { return false }
                return nested.operation.key == key
            default: return false
            }
        }
    }

    mutating func releaseHeldEffects() {
        holdsEffects = false
        let effects = heldEffects
        heldEffects = []
        for effect in effects { carryOut(effect) }
    }

    private mutating func carryOut(_ effect: Effect) {
        switch effect {
        case .command(let command, _):
            commands.append(command)
            step(
                .operationFinished(
                    command.key, command.clusterID, OperationResult(answer(command))))
        case .hook(let call):
            hooks.append(call)
            var outcome = hookAnswers[call.binding.pack] ?? HookOutcome(status: .ok, value: true)
            let target = call.context["target"]?["node_id"]?.string ?? ""
            if vetoes[call.binding.pack]?.contains(target) == true {
                outcome = HookOutcome(status: .failed, error: "not this one")
            }
            step(.operationFinished(call.operation.key, call.clusterID, OperationResult(outcome)))
        case .deliver(let alert, let channel):
            delivered.append(alert.alertID)
            step(
                .alertDelivered(
                    AlertDelivered(
                        alertID: alert.alertID, channel: channel, attempts: 1, httpStatus: 200)))
        }
    }

    private mutating func answer(_ command: AgentCommand) -> CommandResult {
        let node = command.nodeID
        guard let service = services[node], service.agentIsUp else {
            return CommandResult(key: command.key, outcome: .unreachable, detail: "refused")
        }
        if command.name == .status, silentPositions.contains(node) {
            var silent = report(node)
            silent.positionBytes = nil
            return CommandResult(
                key: command.key, outcome: .failed, detail: "its disk is full", service: silent,
                deniedPromisesTo: command.deniesPromisesTo)
        }
        if command.name == .prepare, hindered.contains(node) {
            var result = CommandResult(
                key: command.key, outcome: .failed, detail: "the archiver hangs",
                service: report(node))
            result.isHindered = true
            return result
        }
        if hangingStops.contains(node) {
            if command.name == .demote {
                services[node]?.state = .failing
                return CommandResult(
                    key: command.key, outcome: .timedOut, detail: "the service still runs",
                    service: report(node))
            }
            if command.name == .status, service.state == .failing {
                return CommandResult(
                    key: command.key, outcome: .failed, detail: "no answer", service: report(node))
            }
        }
        let fails = command.name == .promote && failingPromotions.contains(node)
        if let outcome = fails ? .failed : commandFailures[command.name] {
            return CommandResult(
                key: command.key, outcome: outcome, detail: "as told", service: report(node))
        }
        var receipt: FenceReceipt?
        switch command.name {
        case .status, .prepare, .own: break
        case .demote, .fence:
            services[node]?.state = .stopped
            receipt = FenceReceipt(
                nodeID: node, bootID: "boot", epoch: command.epoch,
                method: service.state == .stopped ? FenceReceipt.alreadyStopped : "command",
                processesKilled: 0)
        case .promote:
            services[node]?.role = .primary
            services[node]?.streaming = false
        case .follow where diverged.contains(node):
            return CommandResult(
                key: command.key, outcome: .failed, detail: "another history",
                service: report(node), isDiverged: true)
        case .follow where unfed.contains(node): break
        case .follow, .rejoin:
            diverged.remove(node)
            services[node]?.state = .running
            services[node]?.role = .secondary
            services[node]?.streaming = !neverStreaming.contains(node)
            let source = command.primaryNodeID.flatMap { services[$0]?.position } ?? 0
            let own = services[node]?.position ?? 0
            services[node]?.position = max(own, source)
        case .restart: services[node]?.state = .running
        }
        return CommandResult(
            key: command.key, outcome: .succeeded, service: report(node), receipt: receipt,
            deniedPromisesTo: deniesNothing.contains(node) ? nil : command.deniesPromisesTo)
    }

    func report(_ node: NodeID) -> ServiceReport {
        let service = services[node] ?? Service(role: .unknown)
        return ServiceReport(
            state: service.state, role: service.role, positionBytes: service.position,
            lagMs: service.lagMs, streaming: service.streaming, detail: service.detail,
            isFenced: service.state == .stopped && fenced.contains(node) ? true : nil,
            isSynchronous: service.isSynchronous)
    }

    /// One agent reports; its view of the peers is what is true.
    @discardableResult
    mutating func heartbeat(_ node: NodeID, views: [NodeID: PeerView] = [:]) -> Reply? {
        guard services[node]?.agentIsUp == true else { return nil }
        sequence += 1
        var peers: [NodeID: PeerView] = [:]
        for peer in cluster.nodes.map(\.nodeID) where peer != node {
            let service = services[peer]
            peers[peer] =
                service?.agentIsUp == true
                ? .reachable : service?.state == .running ? .serviceOnly : .unreachable
        }
        return step(
            .report(
                NodeReport(
                    clusterID: cluster.clusterID, nodeID: node, bootID: "boot",
                    sequence: sequence, highestEpoch: leaderships[node]?.epoch ?? 0,
                    instanceID: leaderships[node]?.instanceID, service: report(node),
                    peers: peers.merging(views) { $1 }, clockMs: clockMs[node],
                    promiseRule: promiseRules[node],
                    isUnleased: isUnleased.contains(node) ? true : nil, work: work[node])))
    }

    /// Time passes in ticks of 100 ms, with a report of every agent each `interval_ms`.
    mutating func run(forMs duration: Int64, silent: Set<NodeID> = []) {
        let end = nowMs + duration
        while nowMs < end {
            nowMs += 100
            if nowMs % policy.detection.intervalMs == 0 {
                for node in cluster.nodes.map(\.nodeID) where !silent.contains(node) {
                    heartbeat(node)
                }
            }
            step(.tick)
        }
    }

    /// Runs until every node is healthy.
    mutating func settle() { run(forMs: 3 * policy.detection.intervalMs) }

    func bodies<Body>(_ select: (JournalBody) -> Body?) -> [Body] {
        journal.compactMap { (try? JournalBody(of: $0)).flatMap(select) }
    }

    var finishedRuns: [RunFinished] {
        bodies { if case .runFinished(let body) = $0 { body } else { nil } }
    }

    var fenceProofs: [FenceProven] {
        bodies { if case .fenceProven(let body) = $0 { body } else { nil } }
    }

    func alerts(_ type: String) -> [Alert] {
        bodies {
            if case .alertQueued(let body) = $0, body.alert.type == type { body.alert } else { nil }
        }
    }

    var holds: [HoldRule] {
        bodies { if case .holdChanged(let body) = $0 { body.hold?.rule } else { nil } }
    }
}
