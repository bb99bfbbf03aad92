import ContinuityCore
import ContinuityCrypto

/// The orchestrator's process: its shell is modelled, its core is the real one.
struct ServeModel {
    struct PendingEffect {
        var effect: Effect
        var process: Int
        var isAskedAgain = false
    }

    struct WaitingInput {
        var input: Input
        var asker: (node: Int, sentLocalMs: Int64, boot: Int)?
    }

    var orchestrator: Orchestrator?
    /// Counts the processes.
    var process = 0
    var pausedUntilMs: Int64 = 0
    var isReplaced = false
    var waiting: [WaitingInput] = []
    var effects: [Int: PendingEffect] = [:]
    var nextEffect = 0
    var crash: (point: Fault.CrashPoint, downMs: Int64)?
    /// The fold of what is durable, each entry read back from its bytes.
    var durable = OrchestratorState()
    var chain = ChainVerifier(digest: .simulation)
    var startedAtMs: Int64 = 0
    /// What the clock stood at when a run began, for the mutation that stops it.
    var frozenLocalMs: Int64?
}

extension ContentDigest {
    static let simulation = ContentDigest { SHA256.digest($0) }
}

extension World {
    static let tickMs: Int64 = 150
    static let askAgainMs: Int64 = 5250
    static let fineTickMs: Int64 = 15

    var serveNow: Moment {
        var local = clocks[0].local(nowMs)
        if settings.mutation == .deadlineNeverComes {
            if serve.durable.clusters[clusterID]?.run == nil {
                serve.frozenLocalMs = nil
            } else {
                serve.frozenLocalMs = serve.frozenLocalMs ?? local
            }
            local = serve.frozenLocalMs ?? local
        }
        return Moment(monotonicMs: local, utcMs: clocks[0].utc(nowMs))
    }

    var clusterState: ClusterState? { serve.durable.clusters[clusterID] }

    func startServe() {
        guard serve.orchestrator == nil else { return }
        serve.process += 1
        serve.pausedUntilMs = 0
        serve.isReplaced = false
        serve.waiting = []
        serve.startedAtMs = nowMs
        trace("serve starts, process \(serve.process)")
        var policy = settings.policy
        if let profile {
            policy.detection = .settings(for: profile)
            policy.lease = LeaseSettings(detection: policy.detection)
        }
        if settings.mutation == .formerLeasesForgotten {
            serve.durable.clusters[clusterID]?.policy = policy
            serve.durable.clusters[clusterID]?.formerLeaseMs = nil
        }
        serve.orchestrator = Orchestrator(
            state: serve.durable, digest: .simulation, trapsOnInternalFault: true)
        if settings.mutation == .hooksRepeated {
            for index in policy.hooks.indices { policy.hooks[index].repeatable = true }
        }
        var cluster = cluster
        if settings.mutation == .approvalsForgotten { policy.approvals = nil }
        if settings.mutation == .capacitiesIgnored {
            for index in cluster.nodes.indices { cluster.nodes[index].capacity = 100 }
        }
        let configured = ClusterConfigured(
            cluster: cluster, policy: policy, alertChannels: ["oncall"])
        feed(
            .leadershipGained(
                instanceID: "serve-\(serve.process)", clusters: [configured],
                brake: settings.brake))
        after(Self.tickMs, .tick(process: serve.process))
    }

    func stopServe(_ why: String) {
        guard serve.orchestrator != nil else { return }
        trace("serve ends: \(why)")
        serve.orchestrator = nil
        serve.waiting = []
        // Its connections end with it: no answer finds its way back.
        serve.effects = [:]
        checker.serveTrouble(nowMs)
    }

    var serveIsPaused: Bool { nowMs < serve.pausedUntilMs }

    func tick(_ process: Int) {
        guard process == serve.process, serve.orchestrator != nil else { return }
        if serveIsPaused {
            if settings.mutation == .stallsHidden { feed(.tick) }
            let next =
                settings.mutation == .stallsHidden ? nowMs + Self.tickMs : serve.pausedUntilMs
            return events.add(.tick(process: process), atMs: next)
        }
        if serve.isReplaced {
            stopServe("another process has the lead")
            return startServe()
        }
        drain()
        feed(.tick)
        checkSilence()
        guard let orchestrator = serve.orchestrator else { return }
        after(
            orchestrator.needsFineTicks ? Self.fineTickMs : Self.tickMs, .tick(process: process))
    }

    private func drain() {
        let waiting = serve.waiting
        serve.waiting = []
        for item in waiting { feed(item.input, asker: item.asker) }
    }

    func serveHears(_ message: Message) {
        guard serve.orchestrator != nil else { return }
        switch message.content {
        case .report(let report, let sentLocalMs, let boot):
            hear(.report(report), asker: (message.from - 1, sentLocalMs, boot))
        case .result(let result, let effect):
            guard serve.effects.removeValue(forKey: effect) != nil else { return }
            hear(.operationFinished(result.key, clusterID, OperationResult(result)))
        case .reply, .order, .promiseAsked, .promiseAnswered: break
        }
    }

    func hear(_ input: Input, asker: (node: Int, sentLocalMs: Int64, boot: Int)? = nil) {
        guard serveIsPaused || serve.isReplaced else { return feed(input, asker: asker) }
        serve.waiting.append(.init(input: input, asker: asker))
    }

    // MARK: One step

    func feed(_ input: Input, asker: (node: Int, sentLocalMs: Int64, boot: Int)? = nil) {
        guard var orchestrator = serve.orchestrator else { return }
        // One owner at a time: no copy of the state is made for the step.
        serve.orchestrator = nil
        let result = orchestrator.step(input, at: serveNow)
        serve.orchestrator = orchestrator
        if !result.entries.isEmpty, let crash = serve.crash {
            serve.crash = nil
            return dieInStep(result, crash.point, crash.downMs)
        }
        if settings.mutation == .effectsBeforeJournal {
            for effect in result.effects { release(effect) }
        }
        for entry in result.entries { append(entry) }
        if !result.entries.isEmpty { checkFold(orchestrator) }
        if let asker { reply(result.reply, to: asker) }
        switch input {
        case .request, .order, .approval: if let reply = result.reply { note(reply) }
        default: break
        }
        guard settings.mutation != .effectsBeforeJournal else { return }
        for effect in result.effects { release(effect) }
    }

    private func dieInStep(_ result: StepResult, _ point: Fault.CrashPoint, _ downMs: Int64) {
        switch point {
        case .beforeAppend: break
        case .partOfAppend:
            for entry in result.entries.prefix(result.entries.count / 2) { append(entry) }
        case .afterAppend: for entry in result.entries { append(entry) }
        case .amongEffects:
            for entry in result.entries { append(entry) }
            for effect in result.effects.prefix((result.effects.count + 1) / 2) { release(effect) }
        }
        stopServe("it dies \(point) of a step with \(result.entries.count) entries")
        after(downMs, .faultEnds(.serveDies(ms: downMs)))
    }

    private func reply(
        _ reply: Reply?, to asker: (node: Int, sentLocalMs: Int64, boot: Int)
    ) {
        guard case .report(var answer)? = reply else { return }
        if settings.mutation == .leaseAlwaysGranted,
            clusterState?.primary == cluster.nodes[asker.node].nodeID
        {
            answer.leaseMs = settings.policy.lease.durationMs
        }
        send(
            0, asker.node + 1,
            .reply(answer, sentLocalMs: asker.sentLocalMs, boot: asker.boot))
    }

    // MARK: Effects

    private func release(_ effect: Effect) {
        serve.nextEffect += 1
        let number = serve.nextEffect
        serve.effects[number] = ServeModel.PendingEffect(effect: effect, process: serve.process)
        checkIntent(effect)
        switch effect {
        case .command(let command, _): order(command, number)
        case .hook(let call): invoke(call, number)
        case .deliver: after(chance.int(5...50), .alertSettles(effect: number))
        }
    }

    private func order(_ command: AgentCommand, _ effect: Int) {
        guard let node = index(of: command.nodeID) else { return }
        if command.name != .status {
            trace("serve orders \(command.nodeID) to \(command.name.rawValue)")
        }
        guard network.connects(0, node + 1), machineIsUp[node + 1] else {
            return after(
                min(2000, command.timeoutMs), .orderTimedOut(effect: effect, unreachable: true))
        }
        checker.sentAtMs[command.key] = nowMs
        send(0, node + 1, .order(command, effect: effect))
        after(command.timeoutMs + 1000, .orderTimedOut(effect: effect, unreachable: false))
        after(Self.askAgainMs, .orderAskedAgain(effect: effect))
    }

    /// One connection is not waited on for the whole time: the agent knows the order by its key.
    func askAgain(_ effect: Int) {
        guard case .command(let command, _)? = serve.effects[effect]?.effect,
            let node = index(of: command.nodeID)
        else { return }
        after(Self.askAgainMs, .orderAskedAgain(effect: effect))
        guard !serveIsPaused, network.connects(0, node + 1) else { return }
        serve.effects[effect]?.isAskedAgain = true
        send(0, node + 1, .order(command, effect: effect))
    }

    func orderTimedOut(_ effect: Int, _ unreachable: Bool) {
        // One that may have arrived is asked for until its time is over.
        if unreachable, serve.effects[effect]?.isAskedAgain == true { return }
        guard case .command(let command, _)? = serve.effects.removeValue(forKey: effect)?.effect
        else { return }
        let result = CommandResult(
            key: command.key, outcome: unreachable ? .unreachable : .timedOut,
            detail: unreachable ? "no connection" : "no answer in time")
        hear(.operationFinished(command.key, clusterID, OperationResult(result)))
    }

    private func invoke(_ call: HookCall, _ effect: Int) {
        let key = call.operation.key
        trace("hook \(call.binding.pack) at \(call.binding.stage.rawValue) begins")
        let isRepeatable = settings.policy.hooks.contains {
            $0.pack == call.binding.pack && $0.stage == call.binding.stage && $0.repeatable
        }
        if checker.invokes(key), !isRepeatable {
            violate("effect twice", "the hook \(key) is invoked again and must not be")
        }
        let behaviour = hookBehaviours[call.binding.pack] ?? .well
        let isByChance = settings.hooksFailByChance && hookChance.chance(60)
        let hangs = behaviour == .hangs || (isByChance && hookChance.chance(300))
        after(
            hangs ? call.binding.timeoutMs : min(hookChance.int(2...80), call.binding.timeoutMs),
            .hookEnds(effect: effect))
    }

    func hookEnds(_ effect: Int) {
        guard case .hook(let call)? = serve.effects.removeValue(forKey: effect)?.effect else {
            return
        }
        if let outcome = whatIfOutcome(call) {
            return hear(
                .operationFinished(call.operation.key, clusterID, OperationResult(outcome)))
        }
        let isPolicy = call.binding.stage == .admit
        var outcome = HookOutcome(
            status: .ok, value: isPolicy ? ["verdict": "allow", "reason": "as ever"] : true)
        switch hookBehaviours[call.binding.pack] ?? .well {
        case .well:
            if settings.hooksFailByChance, hookChance.chance(80) {
                outcome = HookOutcome(status: .failed, error: "by chance")
            }
        case .fails: outcome = HookOutcome(status: .failed, error: "it could not be done")
        case .hangs: outcome = HookOutcome(status: .limit, limit: "wall", error: "too slow")
        case .denies:
            outcome = HookOutcome(
                status: isPolicy ? .ok : .failed,
                value: ["verdict": "deny", "reason": "not now"], error: isPolicy ? nil : "no")
        }
        hear(.operationFinished(call.operation.key, clusterID, OperationResult(outcome)))
    }

    func alertSettles(_ effect: Int) {
        guard
            case .deliver(let alert, let channel)? =
                serve.effects.removeValue(forKey: effect)?.effect
        else { return }
        hear(
            .alertDelivered(
                AlertDelivered(
                    alertID: alert.alertID, channel: channel, attempts: 1, httpStatus: 200)))
    }
}
