import ContinuityCore
import ContinuityNode

/// Orders at an agent: one at a time, a fence before all others, each key once.
extension World {
    func take(_ command: AgentCommand, effect: Int, _ node: Int) {
        if join(command.key, effect, node) { return }
        switch admit(command, node) {
        case .remembered(let known): return send(node + 1, 0, .result(known, effect: effect))
        case .refused(let why): return refuse(command, effect, node, why)
        case .run: break
        }
        if let denied = command.deniesPromisesTo {
            return deny(denied, command, effect, node)
        }
        agents[node].nextJob += 1
        let job = AgentModel.Job(
            id: agents[node].nextJob, command: command, isOrder: true,
            arrivedLocalMs: localMs(node), effects: [effect])
        guard command.name != .status else { return start(job, node, isQueued: false) }
        enqueue(job, node)
    }

    /// The real ledger decides; a mutation changes what it is asked, or what it remembers of it.
    private func admit(_ command: AgentCommand, _ node: Int) -> Ledger.Admission {
        var asked = command
        let highest = agents[node].ledger.highestEpoch
        if settings.mutation == .epochsIgnored, command.epoch < highest {
            violate(
                "stale epoch",
                "\(name(node)) carries out \(command.name.rawValue) of epoch "
                    + "\(command.epoch) after it has seen \(highest)")
            asked.epoch = highest
            asked.instanceID = agents[node].ledger.instanceID
        }
        if settings.mutation == .lateOrdersAccepted { asked.notAfterMs = nil }
        if settings.mutation == .resultsForgotten {
            asked.key = OperationKey("forgotten-\(agents[node].nextJob)-\(nowMs)")
        }
        let before = agents[node].ledger
        let admission = agents[node].ledger.admit(
            asked, to: clusterID, cluster.nodes[node].nodeID, at: boot(node))
        if case .refused = admission, settings.mutation == .refusalsForgotten {
            agents[node].ledger = before
            agents[node].ledger.raise(to: command.leadership)
        }
        return admission
    }

    /// By the agent's clock, as the sender knew it: then nobody waits for the order any more.
    private func isLate(_ command: AgentCommand, _ node: Int) -> Bool {
        settings.mutation != .lateOrdersAccepted && command.lateness(at: boot(node)) != nil
    }

    /// No promise to that node any more; answers once the last one is over.
    private func deny(_ id: NodeID, _ command: AgentCommand, _ effect: Int, _ node: Int) {
        guard index(of: id) != nil else { return }
        let local = localMs(node)
        if settings.mutation != .promisesNotDenied {
            let lengthMs = command.deniesPromisesMs ?? 0
            agents[node].ledger.deny(
                .init(
                    to: id, untilBootMs: local + lengthMs, kernelBootID: Self.kernelBootID,
                    lengthMs: lengthMs))
        }
        let end = agents[node].ledger.promiseEnd(to: id, at: boot(node))
        let event = Event.denialEnds(
            node: node, boot: agents[node].boot, command: command, effect: effect)
        if settings.mutation == .promisesNotDenied { return after(3, event) }
        at(localMs: end?.milliseconds ?? local + 3, node, event)
    }

    func denialEnds(_ node: Int, _ boot: Int, _ command: AgentCommand, _ effect: Int) {
        guard agents[node].isUp, agents[node].boot == boot, machineIsUp[node + 1] else { return }
        guard !agents[node].isPaused(nowMs) else {
            return events.add(
                .denialEnds(node: node, boot: boot, command: command, effect: effect),
                atMs: agents[node].pausedUntilMs + 1)
        }
        perform(
            AgentModel.Job(id: 0, command: command, isOrder: true, effects: [effect]), node)
    }

    /// A refusal is final: a copy of the order that arrives later finds the same answer, for the
    /// orchestrator may have taken it as proof that nothing happened.
    private func refuse(
        _ command: AgentCommand, _ effect: Int, _ node: Int, _ why: String
    ) {
        let result = CommandResult(
            key: command.key, outcome: .refused, detail: why, service: agents[node].seen)
        remember(refusal: result, of: command, node)
        send(node + 1, 0, .result(result, effect: effect))
    }

    private func remember(refusal: CommandResult, of command: AgentCommand, _ node: Int) {
        guard command.name.makesPrimary else { return }
        checker.refusedOrders.insert(command.key)
        if settings.mutation != .refusalsForgotten { agents[node].ledger.remember(refusal) }
    }

    private func join(_ key: OperationKey, _ effect: Int, _ node: Int) -> Bool {
        guard let known = agents[node].jobs.values.first(where: { $0.command.key == key }) else {
            return false
        }
        agents[node].jobs[known.id]?.effects.append(effect)
        return true
    }

    func enqueue(_ job: AgentModel.Job, _ node: Int) {
        agents[node].jobs[job.id] = job
        switch agents[node].queue.submit(job.id, job.command.name.queueKind) {
        case .start: start(job, node, isQueued: true)
        case .wait: break
        case .refuse(let why): drop(job.id, node, why)
        case .jump(let cancelled, let dropped):
            for other in dropped {
                drop(other, node, "a \(job.command.name) order came after it")
            }
            if let cancelled { cancel(cancelled, node) }
        }
    }

    private func drop(_ id: Int, _ node: Int, _ why: String) {
        guard let job = agents[node].jobs.removeValue(forKey: id) else { return }
        finish(job, node, .refused, why)
    }

    private func cancel(_ id: Int, _ node: Int) {
        guard let job = agents[node].jobs[id] else { return }
        // A rejoin that is stopped halfway leaves no server that runs.
        if job.command.name == .rejoin { stopDatabase(node, "its rejoin is stopped") }
        finish(job, node, .inDoubt, "stopped by a later order")
        agents[node].lease.resume()
        startNext(after: id, node)
    }

    private func startNext(after id: Int, _ node: Int) {
        agents[node].jobs[id] = nil
        guard let next = agents[node].queue.finished(id), let job = agents[node].jobs[next] else {
            return
        }
        start(job, node, isQueued: true)
    }

    private func start(_ job: AgentModel.Job, _ node: Int, isQueued: Bool) {
        if job.isOrder, isLate(job.command, node) {
            finish(job, node, .refused, "its sender gave up while it waited")
            return startNext(after: job.id, node)
        }
        checkBegin(job, node)
        if job.isOrder { begin(job.command, node) }
        switch job.command.name {
        case .fence, .demote:
            agents[node].lease.suspend()
            if job.command.name == .demote, hangingShutdowns.contains(node) {
                // It refuses everybody, and stays so until it is killed.
                databases[node].pausedUntilMs = Int64.max / 2
            }
        case .promote, .restart:
            if let leaseMs = job.command.leaseMs {
                grantLease(leaseMs, fromLocalMs: job.arrivedLocalMs, node)
            }
        default: break
        }
        if job.isOrder, job.command.name != .status {
            trace("\(name(node)) agent begins \(job.command.name.rawValue)")
        }
        let durationMs = min(duration(of: job.command, node), job.command.timeoutMs)
        if isQueued {
            after(durationMs, .jobEnds(node: node, boot: agents[node].boot, job: job.id))
        } else {
            // Readings have no effect: what they find is what there is when they end.
            perform(job, node)
        }
    }

    /// Kept before the order has any effect: an agent that is killed in the middle answers that it is
    /// in doubt.
    private func begin(_ command: AgentCommand, _ node: Int) {
        var kept = command
        if settings.mutation == .begunForgotten {
            kept.key = OperationKey("forgotten-\(agents[node].nextJob)")
        }
        agents[node].fencedBefore = agents[node].ledger.fenced
        agents[node].ledger.begin(kept)
        guard command.name.makesPrimary else { return }
        checker.begunOrders.insert(command.key)
    }

    /// The agent is killed while its program promotes: the server was told already, or was not.
    func goesOnAlone(_ job: AgentModel.Job, _ node: Int) {
        guard job.isOrder, job.command.name == .promote, nodeChance.chance(500) else { return }
        after(nodeChance.int(1...1500), .promotesAlone(node: node))
    }

    func promotesAlone(_ node: Int) {
        guard machineIsUp[node + 1], isAnswering(node), databases[node].role != .primary else {
            return
        }
        trace("\(name(node)) is promoted although its agent has ended")
        becomesPrimary(node)
    }

    private func duration(of command: AgentCommand, _ node: Int) -> Int64 {
        if databases[node].isPaused(nowMs), command.name != .fence {
            return databases[node].pausedUntilMs - nowMs + 20
        }
        switch command.name {
        case .status: return 3
        case .prepare, .follow, .own: return chance.int(5...60)
        case .demote: return chance.int(50...300)
        case .fence: return chance.int(1...25)
        case .promote: return chance.chance(30) ? chance.int(500...6000) : chance.int(40...250)
        case .rejoin: return chance.int(300...3000)
        case .restart: return chance.int(100...1200)
        }
    }

    func jobEnds(_ node: Int, _ boot: Int, _ id: Int) {
        guard agents[node].isUp, agents[node].boot == boot, machineIsUp[node + 1],
            agents[node].queue.runningID == id, let job = agents[node].jobs[id]
        else { return }
        guard !agents[node].isPaused(nowMs) else {
            return events.add(
                .jobEnds(node: node, boot: boot, job: id),
                atMs: agents[node].pausedUntilMs + 1)
        }
        if isOver(job, node) {
            look(node)
            finish(job, node, .timedOut, "its time passed while the agent was paused")
        } else {
            perform(job, node)
        }
        agents[node].lease.resume()
        agents[node].jobs[id] = nil
        checkLease(node)
        startNext(after: id, node)
        report(node)
    }

    /// Whether what the order started had been killed before: its time is over. A fence goes on.
    private func isOver(_ job: AgentModel.Job, _ node: Int) -> Bool {
        guard job.isOrder, job.command.name != .fence, job.command.name != .demote,
            settings.mutation != .lateOrdersAccepted
        else { return false }
        let own = job.arrivedLocalMs + job.command.timeoutMs
        return localMs(node) > min(own, job.command.notAfterMs ?? own) + 20
    }

    // MARK: Doing

    private func perform(_ job: AgentModel.Job, _ node: Int) {
        let command = job.command
        if failingOrders[command.name]?.contains(node) == true {
            look(node)
            return finish(job, node, .failed, "its program failed")
        }
        switch command.name {
        case .status:
            look(node)
            let isKnown =
                agents[node].seen.state == .stopped
                || (agents[node].seen.state == .running && !databases[node].isPaused(nowMs))
            finish(job, node, isKnown ? .succeeded : .failed, agents[node].seen.detail)
        case .prepare, .own:
            finish(job, node, isAnswering(node) ? .succeeded : .failed, "")
        case .demote: demote(job, node)
        case .fence:
            if settings.mutation != .receiptForged { stopDatabase(node, "fenced by order") }
            look(node)
            finish(job, node, .succeeded, "", method: "killed")
        case .promote: promote(job, node)
        case .follow: follow(job, node)
        case .rejoin: rejoin(job, node)
        case .restart:
            startDatabase(node)
            look(node)
            finish(job, node, databases[node].isRunning ? .succeeded : .failed, "")
        }
    }

    private func isAnswering(_ node: Int) -> Bool {
        databases[node].isRunning && !databases[node].isPaused(nowMs)
    }

    private func demote(_ job: AgentModel.Job, _ node: Int) {
        guard isAnswering(node) || !databases[node].isRunning else {
            look(node)
            return finish(job, node, .timedOut, "the service does not answer")
        }
        // An orderly stop sends everything to those that stream.
        for other in databases.indices
        where databases[other].upstream == node && databases[other].isStreaming
            && network.connects(node + 1, other + 1) && isAnswering(other)
            && databases[other].isPrefix(of: databases[node])
        {
            databases[other].log = databases[node].log
        }
        stopDatabase(node, "demoted")
        // Its status program tells where the data of a stopped service ends.
        agents[node].seen.positionBytes = databases[node].positionBytes
        look(node)
        finish(job, node, .succeeded, "", method: "command")
    }

    private func promote(_ job: AgentModel.Job, _ node: Int) {
        guard isAnswering(node) else {
            look(node)
            return finish(job, node, .timedOut, "the service does not answer")
        }
        if databases[node].role != .primary { becomesPrimary(node) }
        look(node)
        finish(job, node, .succeeded, "")
    }

    private func follow(_ job: AgentModel.Job, _ node: Int) {
        guard isAnswering(node), let id = job.command.primaryNodeID, let source = index(of: id)
        else {
            look(node)
            return finish(job, node, .failed, "the service does not answer")
        }
        if databases[node].role == .secondary {
            databases[node].upstream = source
            databases[node].isStreaming = false
            after(chance.int(5...40), .walPolls(node: node))
            if isWritable(source), network.connects(node + 1, source + 1),
                !databases[node].isPrefix(of: databases[source])
            {
                look(node)
                return finish(
                    job, node, .failed, "its data is another history", isDiverged: true)
            }
        }
        look(node)
        finish(job, node, .succeeded, "")
    }

    private func rejoin(_ job: AgentModel.Job, _ node: Int) {
        guard settings.mutation != .rejoinNeverWorks, let id = job.command.primaryNodeID,
            let source = index(of: id), isWritable(source),
            network.connects(node + 1, source + 1)
        else {
            look(node)
            return finish(job, node, .failed, "the primary cannot be reached")
        }
        if databases[node].isRunning { stopDatabase(node, "rejoins") }
        databases[node].log = databases[source].log
        databases[node].role = .secondary
        databases[node].upstream = source
        startDatabase(node)
        after(20, .walPolls(node: node))
        look(node)
        finish(job, node, .succeeded, "")
    }

    private func finish(
        _ job: AgentModel.Job, _ node: Int, _ outcome: CommandResult.Outcome, _ detail: String,
        method: String? = nil, isDiverged: Bool? = nil
    ) {
        // Whatever ends in a receipt has stopped the service.
        if method != nil {
            noteFence(
                node, isByLease: !job.isOrder, wasPrimary: databases[node].role != .secondary)
        }
        guard job.isOrder else { return }
        var service = agents[node].seen
        forgePosition(&service)
        let receipt = method.map {
            FenceReceipt(
                nodeID: cluster.nodes[node].nodeID, bootID: "boot-\(agents[node].boot)",
                epoch: job.command.epoch, method: $0, processesKilled: 0)
        }
        let result = CommandResult(
            key: job.command.key, outcome: outcome, detail: detail, durationMs: 1,
            service: service, receipt: receipt,
            deniedPromisesTo: job.command.deniesPromisesTo, isDiverged: isDiverged)
        if job.command.name.startsService, agents[node].seen.state == .stopped,
            agents[node].ledger.fenced == nil, let fenced = agents[node].fencedBefore
        {
            agents[node].ledger.fence(fenced)
        }
        if outcome == .refused {
            remember(refusal: result, of: job.command, node)
        } else if job.command.name != .status {
            agents[node].ledger.remember(result)
            checker.finishedOrders.insert(job.command.key)
        }
        for effect in job.effects { send(node + 1, 0, .result(result, effect: effect)) }
    }
}
