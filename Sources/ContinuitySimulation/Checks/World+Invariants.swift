import ContinuityCore
import ContinuityNode

/// What must hold at every moment. The world stops at the first thing that does not.
extension World {
    /// After every event: never two writable primaries. One that wakes from a pause of its whole
    /// machine is excused for the few milliseconds that its guard needs, but never while a lease
    /// says that it may act.
    func checkPrimaries() {
        // Active/active: all of them shall.
        guard cluster.topology == .activePassive else { return }
        var first: Int?
        for node in databases.indices where isWritable(node) {
            guard let other = first else {
                first = node
                continue
            }
            let isExcused = [node, other].contains { nowMs < databases[$0].excusedUntilMs }
            let bothHold = [node, other].allSatisfy {
                agents[$0].lease.remainingMs(at: boot($0)) > 0
            }
            if bothHold || !isExcused {
                violate(
                    "two primaries",
                    "\(name(other)) and \(name(node)) take writes"
                        + (bothHold ? ", both with a valid lease" : ""))
            }
        }
    }

    /// A node became primary: everything that was acknowledged must be in it.
    func checkAcknowledged(in node: Int) {
        checker.promotions += 1
        let log = databases[node].log
        var kept: [WriteLedger.Acknowledged] = []
        for write in writes.acknowledged {
            if write.length <= log.count, log[write.length - 1] == write.write {
                kept.append(write)
            } else {
                writes.lost += 1
                guard settings.isSynchronous, !checker.lossIsAccepted else { continue }
                return violate(
                    "acknowledged write lost",
                    "\(name(node)) became primary without write \(write.write), which was "
                        + "acknowledged at \(write.atMs) ms")
            }
        }
        writes.acknowledged = kept
    }

    /// No state in which nobody can write is silent: a run is under way, a hold says why, or people
    /// were told since it began.
    func checkSilence() {
        let wasAway = nowMs - checker.silenceCheckedAtMs > 1_000
        checker.silenceCheckedAtMs = nowMs
        guard !wasAway, cluster.topology == .activePassive, let state = clusterState,
            state.wasHealthy,
            !databases.indices.contains(where: isWritable), state.run == nil, state.hold == nil,
            state.maintenance == nil, state.nodeMaintenance[state.primary] == nil
        else {
            checker.writableAtMs = nowMs
            return
        }
        let limitMs = 4 * state.policy.detection.silenceMs + 5_000
        guard nowMs - checker.writableAtMs > limitMs,
            checker.alarmedAtMs < checker.writableAtMs - 1_000
        else { return }
        violate(
            "silent outage",
            "nobody can write for \(nowMs - checker.writableAtMs) ms, and nothing says so")
    }

    // MARK: The journal

    func append(_ entry: JournalEntry) {
        if settings.mutation == .journalLosesEntry, entry.seq == 40 { return }
        do {
            try serve.chain.check(entry)
            try serve.chain.finish()
            try serve.durable.replay(entry)
            check(entry, try JournalBody(of: entry))
        } catch {
            violate("journal", "\(error)")
        }
    }

    func checkFold(_ orchestrator: Orchestrator) {
        let live = orchestrator.state
        guard live != serve.durable else { return }
        violate("fold", "the live state is not the fold of the journal at \(live.head.seq)")
    }

    func checkIntent(_ effect: Effect) {
        switch effect {
        case .command(let command, _):
            if !checker.intended.contains(command.key) {
                violate("effect without intent", "\(command.key) left before its entry was durable")
            }
            guard command.name == .promote else { return }
            if clusterState?.run?.fenceProof == nil {
                violate("promotion without proof", "\(command.key) left without a fence proof")
            }
        case .hook(let call):
            if !checker.intended.contains(call.operation.key) {
                violate(
                    "effect without intent",
                    "the hook \(call.operation.key) left before its entry was durable")
            }
        case .deliver(let alert, _):
            if !checker.queuedAlerts.contains(alert.alertID) {
                violate("effect without intent", "the alert \(alert.alertID) was not queued")
            }
        }
    }

    private func check(_ entry: JournalEntry, _ body: JournalBody) {
        switch body {
        case .operationIntended(let body): checker.intended.insert(body.operation.key)
        case .alertQueued(let body):
            checker.queuedAlerts.insert(body.alert.alertID)
            if body.alert.severity != .info { checker.alarmedAtMs = nowMs }
        case .holdChanged(let body): check(body.hold)
        case .runRequested(let body): check(body, by: entry.actor)
        case .runFinished: checker.runBeganAtMs = nil
        case .fenceProven(let body): check(body)
        default: break
        }
        checkPeople(body, by: entry.actor)
        tell(body)
        checkRunEnds()
    }

    private func check(_ hold: Hold?) {
        var hold = hold
        if settings.mutation == .holdsWithoutEvidence { hold?.evidence = "" }
        if hold == checker.lastHold, hold != nil {
            violate("hold", "the same hold is journaled again: \(hold?.rule.rawValue ?? "")")
        }
        checker.lastHold = hold
        guard let hold else { return }
        if hold.evidence.isEmpty { violate("hold", "\(hold.rule.rawValue) names no evidence") }
        let needsTime: [HoldRule] = [
            .cooldown, .flapBackoff, .freezeWindow, .retryBackoff, .paused, .maintenance,
        ]
        if needsTime.contains(hold.rule), hold.earliestAtMs == nil {
            violate("hold", "\(hold.rule.rawValue) names no earliest time")
        }
    }

    private func check(_ body: RunRequested, by actor: String) {
        checker.runsBegun += 1
        checker.runBeganAtMs = nowMs
        checker.runTrigger = body.trigger
        // What people accepted to lose may come late, by an order that is not answered.
        checker.lossIsAccepted =
            body.acceptedLoss != nil || body.isBreakGlass == true
            || (checker.lossIsAccepted && clusterState?.inDoubt != nil)
        guard body.kind != .rebalance else { return }
        guard actor == "continuity", let node = index(of: body.plan.primaryNodeID) else { return }
        if body.kind == .failover { checker.failovers += 1 }
        checkCause(body, node)
        guard body.trigger == .nodeUnreachable, settings.policy.needsQuorum else { return }
        let votes = cluster.nodes.indices.filter {
            $0 != node && nowMs - checker.foundUnreachable(node, by: $0) < 15_000
        }
        if votes.count < cluster.quorumSize {
            violate(
                "failover without quorum",
                "\(name(node)) was given up, and only \(votes.count) of \(nodeCount) voters "
                    + "found it unreachable")
        }
    }

    /// Nothing moves by itself while the primary is well and in reach.
    private func checkCause(_ body: RunRequested, _ node: Int) {
        let detection = settings.policy.detection
        let memoryMs = detection.silenceMs + 3 * detection.intervalMs + 2000
        let isWell =
            isWritable(node) && agents[node].isUp && !agents[node].isPaused(nowMs)
            && network.connects(0, node + 1)
        guard isWell, nowMs - checker.lastTroubleMs(node) > memoryMs else { return }
        violate("failover without cause", "\(name(node)) is well and in reach: \(body.trigger)")
    }

    private func check(_ body: FenceProven) {
        guard let node = index(of: body.nodeID) else { return }
        switch body.proof {
        case .receipt:
            if isWritable(node) {
                violate("false proof", "\(body.nodeID) takes writes, and a receipt says it cannot")
            }
        case .leaseExpired:
            if isWritable(node), nowMs >= databases[node].excusedUntilMs {
                violate(
                    "false proof",
                    "\(body.nodeID) takes writes although its lease is said to be over")
            }
        }
    }

    /// What an agent begins was not done before, was not refused before, and somebody waits for it.
    func checkBegin(_ job: AgentModel.Job, _ node: Int) {
        let command = job.command
        guard job.isOrder, command.name != .status else { return }
        if checker.finishedOrders.contains(command.key) {
            violate("effect twice", "\(name(node)) carries out \(command.key) again")
        }
        if checker.begunOrders.contains(command.key) {
            violate("effect twice", "\(name(node)) begins \(command.key) a second time")
        }
        if checker.refusedOrders.contains(command.key) {
            violate(
                "effect after refusal",
                "\(name(node)) carries out \(command.key), which it has refused")
        }
        guard command.notAfterMs != nil, let sentAt = checker.sentAtMs[command.key] else { return }
        // Two clocks may differ in speed, each by a hundredth.
        if nowMs - sentAt > command.timeoutMs + command.timeoutMs / 40 + 50 {
            violate(
                "late order",
                "\(name(node)) begins \(command.key) \(nowMs - sentAt) ms after it was sent, "
                    + "and nobody waits for it")
        }
    }

    /// What an agent counts on must be known to the orchestrator that granted it: else it does not
    /// wait long enough before it makes another the primary.
    func checkLeaseIsKnown(_ node: Int, untilLocalMs end: Int64) {
        // Where every node serves, a lease excludes nobody.
        guard cluster.topology == .activePassive else { return }
        guard let orchestrator = serve.orchestrator else { return }
        let known = orchestrator.leaseEndMs(cluster.nodes[node].nodeID, clusterID)
        guard known < .max else { return }
        let trueEnd = clocks[node + 1].trueTime(ofLocal: end)
        let trueKnown = clocks[0].trueTime(ofLocal: known)
        if trueEnd > trueKnown {
            violate(
                "lease not known",
                "\(name(node)) holds a lease until \(trueEnd) ms, the orchestrator knows of one "
                    + "until \(trueKnown) ms")
        }
    }

    /// A node that takes a lease while another counts on its promise would be one of two primaries.
    func checkOwnPromise(_ node: Int) {
        guard let promise = agents[node].ledger.promise,
            localMs(node) < promise.untilBootMs
        else { return }
        violate(
            "lease against a promise",
            "\(name(node)) takes a lease, and has promised \(promise.to) not to be promoted")
    }

    /// A voter that the asker does not count may be promoted beside it.
    func checkVoters(_ request: PromiseRequest, _ node: Int) {
        guard let known = agents[node].ledger.voters,
            let missing = known.first(where: { request.voters?.contains($0) == false })
        else { return }
        violate(
            "promise by an old set",
            "\(name(node)) promises to \(request.nodeID), which does not count \(missing)")
    }

    /// Every run ends: within its deadline, and what a rollback may take on top.
    func checkRunEnds() {
        guard let began = checker.runBeganAtMs, serve.orchestrator != nil else { return }
        let since = max(began, serve.startedAtMs, serve.pausedUntilMs)
        let boundMs = settings.policy.maxFailoverTimeS * 1000 + 75_000
        if nowMs - since > boundMs {
            violate("run does not end", "a run lasts \(nowMs - began) ms")
        }
    }

    /// Whether the cluster is healthy by the journal and in truth.
    var isHealed: Bool {
        guard let state = clusterState, state.health == .healthy, state.run == nil else {
            return false
        }
        guard cluster.topology == .activePassive else { return isWholeAgain }
        guard let primary = index(of: state.primary), isWritable(primary)
        else { return false }
        return databases.indices.allSatisfy { node in
            node == primary || !cluster.nodes[node].holdsData
                || (databases[node].isRunning && databases[node].role == .secondary
                    && databases[node].isStreaming)
        }
    }

    func checkHealed() {
        guard violation == nil, !isHealed else { return }
        let state = clusterState
        let hold = state?.hold.map { ", hold \($0.rule.rawValue): \($0.evidence)" } ?? ""
        let nodes = cluster.nodes.indices.map { node in
            "\(name(node)) \(databases[node].isRunning ? databases[node].role.rawValue : "stopped")"
        }
        violate(
            "not healthy in time",
            "\(state?.health.rawValue ?? "no state")\(hold), primary \(state?.primary ?? "none"); "
                + nodes.joined(separator: ", "))
    }
}
