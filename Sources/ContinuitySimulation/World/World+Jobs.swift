import ContinuityCore

/// Orders at an agent: one at a time, a fence before all others, each key once.
extension World {
    func take(_ command: AgentCommand, effect: Int, _ node: Int) {
        if join(command.key, effect, node) { return }
        if command.epoch < agents[node].ledger.highestEpoch {
            guard settings.mutation == .epochsIgnored else {
                return answer(command, effect, node, .refused, "its epoch is stale")
            }
            violate(
                "stale epoch",
                "\(name(node)) carries out \(command.name.rawValue) of epoch "
                    + "\(command.epoch) after it has seen \(agents[node].ledger.highestEpoch)")
        }
        agents[node].ledger.highestEpoch = max(agents[node].ledger.highestEpoch, command.epoch)
        if settings.mutation != .resultsForgotten,
            let known = agents[node].ledger.result(of: command.key)
        {
            send(node + 1, 0, .result(known, effect: effect))
            return
        }
        if isLate(command, node) {
            return refuse(command, effect, node, "its sender has given up")
        }
        if command.name == .promote,
            agents[node].ledger.isPromised(atLocalMs: localMs(node))
        {
            return refuse(command, effect, node, "promised not to be promoted")
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

    /// By the agent's clock, as the sender knew it: then nobody waits for the order any more.
    private func isLate(_ command: AgentCommand, _ node: Int) -> Bool {
        guard settings.mutation != .lateOrdersAccepted, command.name != .status,
            let notAfterMs = command.notAfterMs
        else { return false }
        return localMs(node) > notAfterMs
    }

    /// No promise to that node any more; answers once the last one is over.
    private func deny(_ id: NodeID, _ command: AgentCommand, _ effect: Int, _ node: Int) {
        guard let denied = index(of: id) else { return }
        let local = localMs(node)
        if settings.mutation != .promisesNotDenied {
            let end = local + (command.deniesPromisesMs ?? 0)
            agents[node].ledger.denial = (denied, local, end)
        }
        let end = agents[node].ledger.promiseEnd(to: denied, atLocalMs: local)
        let event = Event.denialEnds(
            node: node, boot: agents[node].boot, command: command, effect: effect)
        if settings.mutation == .promisesNotDenied { return after(3, event) }
        at(localMs: end ?? local + 3, node, event)
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
        guard command.name == .promote else { return }
        checker.refusedOrders.insert(command.key)
        if settings.mutation != .refusalsForgotten { agents[node].ledger.remember(refusal) }
    }

    private func join(_ key: OperationKey, _ effect: Int, _ node: Int) -> Bool {
        if agents[node].running?.command.key == key {
            agents[node].running?.effects.append(effect)
            return true
        }
        guard let place = agents[node].queue.firstIndex(where: { $0.command.key == key }) else {
            return false
        }
        agents[node].queue[place].effects.append(effect)
        return true
    }

    private func answer(
        _ command: AgentCommand, _ effect: Int, _ node: Int,
        _ outcome: CommandResult.Outcome, _ detail: String
    ) {
        let result = CommandResult(
            key: command.key, outcome: outcome, detail: detail, service: agents[node].seen)
        send(node + 1, 0, .result(result, effect: effect))
    }

    func enqueue(_ job: AgentModel.Job, _ node: Int) {
        guard let running = agents[node].running else { return start(job, node, isQueued: true) }
        let dropped = agents[node].queue.filter { supersedes(job, $0) }
        agents[node].queue.removeAll { supersedes(job, $0) }
        for other in dropped {
            finish(other, node, .refused, "a \(job.command.name) order came after it")
        }
        agents[node].queue.append(job)
        if supersedes(job, running) {
            // A rejoin that is stopped halfway leaves no server that runs.
            if running.command.name == .rejoin { stopDatabase(node, "its rejoin is stopped") }
            finish(running, node, .failed, "stopped by a later order")
            agents[node].lease.resume()
            agents[node].running = nil
            startNext(node)
        }
    }

    /// A fence goes before all others, and of the orders that say whom to follow only the newest
    /// counts.
    private func supersedes(_ job: AgentModel.Job, _ other: AgentModel.Job) -> Bool {
        let pointers: [AgentCommand.Name] = [.follow, .rejoin]
        if job.command.name == .fence { return other.command.name != .fence }
        return pointers.contains(job.command.name) && pointers.contains(other.command.name)
    }

    private func startNext(_ node: Int) {
        guard agents[node].running == nil, !agents[node].queue.isEmpty else { return }
        start(agents[node].queue.removeFirst(), node, isQueued: true)
    }

    private func start(_ job: AgentModel.Job, _ node: Int, isQueued: Bool) {
        if job.isOrder, isLate(job.command, node) {
            finish(job, node, .refused, "its sender gave up while it waited")
            return startNext(node)
        }
        if isQueued { agents[node].running = job }
        checkBegin(job, node)
        switch job.command.name {
        case .fence, .demote: agents[node].lease.suspend()
        case .promote, .restart:
            if let leaseMs = job.command.leaseMs {
                agents[node].promiseMs = leaseMs
                agents[node].lease.grant(milliseconds: leaseMs, fromMs: job.arrivedLocalMs)
                checkLeaseIsKnown(node, untilLocalMs: job.arrivedLocalMs + leaseMs)
                checkLease(node)
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
            let job = agents[node].running, job.id == id
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
        agents[node].running = nil
        checkLease(node)
        startNext(node)
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
        method: String? = nil
    ) {
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
            service: service, receipt: receipt)
        if outcome == .refused {
            remember(refusal: result, of: job.command, node)
        } else if job.command.name != .status {
            agents[node].ledger.remember(result)
            checker.finishedOrders.insert(job.command.key)
        }
        for effect in job.effects { send(node + 1, 0, .result(result, effect: effect)) }
    }
}
