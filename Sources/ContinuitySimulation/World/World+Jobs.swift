import ContinuityCore

/// Orders at an agent: one at a time, a fence before all others, each key once.
extension World {
    func take(_ command: AgentCommand, effect: Int, _ node: Int) {
        // Whoever sent it has given up: it is too late to begin.
        if serve.effects[effect] == nil, settings.mutation != .lateOrdersAccepted { return }
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
        if command.name == .promote, settings.mutation != .promisesBroken,
            agents[node].ledger.isPromised(atLocalMs: localMs(node))
        {
            return refuse(command, effect, node)
        }
        agents[node].nextJob += 1
        let job = AgentModel.Job(
            id: agents[node].nextJob, command: command, isOrder: true, effects: [effect])
        guard command.name != .status else { return start(job, node, isQueued: false) }
        enqueue(job, node)
    }

    /// A refusal is final: a copy of the order that arrives later finds the same answer, for the
    /// orchestrator may have taken it as proof that nothing happened.
    private func refuse(_ command: AgentCommand, _ effect: Int, _ node: Int) {
        let result = CommandResult(
            key: command.key, outcome: .refused, detail: "promised not to be promoted",
            service: agents[node].seen)
        if settings.mutation != .refusalsForgotten { agents[node].ledger.remember(result) }
        send(node + 1, 0, .result(result, effect: effect))
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
        guard job.command.name == .fence else { return agents[node].queue.append(job) }
        let dropped = agents[node].queue.filter { $0.command.name != .fence }
        agents[node].queue.removeAll { $0.command.name != .fence }
        for other in dropped { finish(other, node, .refused, "a fence order came after it") }
        agents[node].queue.append(job)
        if running.command.name != .fence {
            finish(running, node, .failed, "stopped by a fence order")
            agents[node].lease.resume()
            agents[node].running = nil
            startNext(node)
        }
    }

    private func startNext(_ node: Int) {
        guard agents[node].running == nil, !agents[node].queue.isEmpty else { return }
        start(agents[node].queue.removeFirst(), node, isQueued: true)
    }

    private func start(_ job: AgentModel.Job, _ node: Int, isQueued: Bool) {
        if isQueued { agents[node].running = job }
        switch job.command.name {
        case .fence, .demote: agents[node].lease.suspend()
        case .promote:
            if let leaseMs = job.command.leaseMs {
                agents[node].promiseMs = leaseMs
                agents[node].lease.grant(milliseconds: leaseMs, fromMs: localMs(node))
                checkLease(node)
            }
        default: break
        }
        if job.isOrder, job.command.name != .status {
            trace("\(name(node)) agent begins \(job.command.name.rawValue)")
            if checker.finishedOrders.contains(job.command.key) {
                violate(
                    "effect twice", "\(name(node)) carries out \(job.command.key) again")
            }
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
        perform(job, node)
        agents[node].lease.resume()
        agents[node].running = nil
        checkLease(node)
        startNext(node)
        report(node)
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
            let isKnown = agents[node].seen.state == .running || agents[node].seen.state == .stopped
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
        if outcome != .refused, job.command.name != .status {
            agents[node].ledger.remember(result)
            checker.finishedOrders.insert(job.command.key)
        }
        for effect in job.effects { send(node + 1, 0, .result(result, effect: effect)) }
    }
}
