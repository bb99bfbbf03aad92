import ContinuityCore
import ContinuityNode

/// Agents: reports, probes, leases, promises; and the guards beside them.
extension World {
    /// Machines that stop keep their clocks, so their kernels count as never started anew.
    static let kernelBootID = "kernel"

    /// Whether the event is for this process and can happen now; when the process is paused it
    /// is put off.
    private func isDue(_ node: Int, _ boot: Int, _ event: Event) -> Bool {
        guard agents[node].isUp, agents[node].boot == boot, machineIsUp[node + 1] else {
            return false
        }
        guard agents[node].isPaused(nowMs) else { return true }
        events.add(event, atMs: agents[node].pausedUntilMs + chance.int(0...2))
        return false
    }

    // MARK: Reporting

    func agentReports(_ node: Int, _ boot: Int) {
        guard isDue(node, boot, .agentReports(node: node, boot: boot)) else { return }
        let interval = agents[node].intervalMs
        let spread = interval * settings.policy.detection.jitterPermille / 1000
        after(interval + chance.int(-spread...spread), .agentReports(node: node, boot: boot))
        report(node)
    }

    func report(_ node: Int) {
        agents[node].sequence += 1
        var peers: [NodeID: PeerView] = [:]
        for (other, view) in agents[node].views.enumerated() {
            guard other != node, var view else { continue }
            if settings.mutation == .peerViewsForged { view = .unreachable }
            peers[cluster.nodes[other].nodeID] = view
        }
        var service = agents[node].seen
        forgePosition(&service)
        let report = NodeReport(
            clusterID: clusterID, nodeID: cluster.nodes[node].nodeID,
            bootID: "boot-\(agents[node].boot)", sequence: agents[node].sequence,
            highestEpoch: agents[node].ledger.highestEpoch, service: service, peers: peers,
            clockMs: localMs(node))
        send(
            node + 1, 0,
            .report(report, sentLocalMs: localMs(node), boot: agents[node].boot))
    }

    func forgePosition(_ service: inout ServiceReport) {
        if settings.mutation == .positionsForged, service.role == .secondary {
            service.positionBytes = 1_000_000_000
        }
    }

    func agentHears(_ message: Message, _ node: Int) {
        switch message.content {
        case .reply(let reply, let sentLocalMs, let boot):
            guard boot == agents[node].boot else { return }
            take(reply, sentLocalMs, node)
        case .order(let command, let effect): take(command, effect: effect, node)
        case .promiseAsked(let round): answer(round, node)
        case .promiseAnswered(let round, let given): collect(round, given, message.from - 1, node)
        case .report, .result: break
        }
    }

    private func take(_ reply: ReportReply, _ sentLocalMs: Int64, _ node: Int) {
        let limit = min(max(agents[node].intervalMs, 500), 10_000)
        guard localMs(node) - sentLocalMs <= limit else { return }
        guard reply.epoch >= agents[node].ledger.highestEpoch else { return }
        _ = agents[node].ledger.raise(to: reply.epoch)
        agents[node].intervalMs = reply.intervalMs
        agents[node].contactLocalMs = max(agents[node].contactLocalMs, sentLocalMs)
        if settings.mutation == .denialsEndTooSoon {
            agents[node].ledger.endDenial(reportSentAt: BootInstant(milliseconds: .max))
        } else if reply.endsDenials == true {
            agents[node].ledger.endDenial(reportSentAt: BootInstant(milliseconds: sentLocalMs))
        }
        guard let leaseMs = reply.leaseMs else { return }
        let start = settings.mutation == .leaseFromArrival ? localMs(node) : sentLocalMs
        agents[node].promiseMs = leaseMs
        agents[node].lease.grant(
            milliseconds: leaseMs, from: BootInstant(milliseconds: start))
        checkLeaseIsKnown(node, untilLocalMs: start + leaseMs)
        checkLease(node)
    }

    // MARK: Probing

    /// A negative boot is a look that the kernel asked for: it is not repeated.
    func agentProbes(_ node: Int, _ boot: Int) {
        guard isDue(node, abs(boot), .agentProbes(node: node, boot: boot)) else { return }
        let before = (agents[node].seen.state, agents[node].seen.role)
        let views = agents[node].views
        look(node)
        if boot > 0 {
            lookAtPeers(node)
            after(agents[node].intervalMs, .agentProbes(node: node, boot: boot))
        }
        let isNews =
            before != (agents[node].seen.state, agents[node].seen.role)
            || views != agents[node].views
        if isNews { report(node) }
        checkLease(node)
    }

    /// Looks at the service.
    func look(_ node: Int) {
        var seen = agents[node].seen
        let database = databases[node]
        guard cluster.nodes[node].holdsData else {
            agents[node].seen = ServiceReport(state: .running, role: .unknown)
            return
        }
        // Of one that is stopped or does not answer, the last position that was read is kept.
        if !database.isRunning {
            seen.state = .stopped
            seen.role = .unknown
            seen.streaming = false
            seen.lagMs = nil
            seen.detail = "no process of the service is alive"
            agents[node].failuresInRow = 0
        } else if database.isPaused(nowMs) {
            agents[node].failuresInRow += 1
            if agents[node].failuresInRow >= 2 || seen.state == .stopped {
                seen.state = .failing
                seen.detail = "no answer"
            }
        } else {
            agents[node].failuresInRow = 0
            seen.state = .running
            seen.role = database.role
            seen.positionBytes = database.positionBytes
            seen.streaming = database.role == .secondary && database.isStreaming
            // What is received is replayed at once: PostgreSQL calls that no lag.
            seen.lagMs = 0
            seen.detail = ""
        }
        agents[node].seen = seen
    }

    private func lookAtPeers(_ node: Int) {
        for other in 0..<nodeCount where other != node {
            let view: PeerView
            if !network.connects(node + 1, other + 1) || !machineIsUp[other + 1] {
                view = .unreachable
            } else if agents[other].isUp, !agents[other].isPaused(nowMs) {
                view = .reachable
            } else {
                view = serviceAnswers(other) ? .serviceOnly : .unreachable
            }
            agents[node].views[other] = view
        }
        checker.looked(node, at: agents[node].views, nowMs)
    }

    /// A paused process's socket still takes connections, but gives no answer.
    private func serviceAnswers(_ node: Int) -> Bool {
        databases[node].isRunning
            && (!databases[node].isPaused(nowMs) || (cluster.serviceProbe ?? .tcp) == .tcp)
    }

    // MARK: The lease

    func leaseTimer(_ node: Int, _ boot: Int, _ token: Int) {
        guard agents[node].leaseToken == token,
            isDue(node, boot, .agentChecksLease(node: node, boot: boot, token: token))
        else { return }
        checkLease(node)
    }

    func checkLease(_ node: Int) {
        guard cluster.nodes[node].holdsData,
            agents[node].seen.state != .unknown || agents[node].seen.role == .primary
        else { return }
        let local = localMs(node)
        let longest = min(max(2 * agents[node].intervalMs, 500), 2000)
        let grace = max(0, agents[node].contactLocalMs + longest - local)
        let verdict = agents[node].lease.check(
            isPrimary: agents[node].seesPrimary, graceMs: grace, now: boot(node))
        agents[node].guardLeaseEndLocalMs = agents[node].lease.expiresAt?.milliseconds
        agents[node].guardLeaseLengthMs = agents[node].lease.lastDurationMs
        guardWatches(node)
        switch verdict {
        case .idle: return
        case .valid: break
        case .askPeers: askPeers(node)
        case .fence:
            if settings.mutation != .leaseNeverEnds { fenceLocally(node) }
        }
        agents[node].leaseToken += 1
        var next =
            agents[node].lease.nextCheck(after: boot(node))?.milliseconds ?? local + 1000
        switch verdict {
        case .askPeers, .fence: next = min(max(next, local), local + 200)
        case .idle, .valid: break
        }
        at(
            localMs: max(next, local + 1), node,
            .agentChecksLease(
                node: node, boot: agents[node].boot, token: agents[node].leaseToken))
    }

    private func fenceLocally(_ node: Int) {
        guard !agents[node].fences else { return }
        trace("\(name(node)) agent fences: its lease is over")
        agents[node].nextJob += 1
        let command = AgentCommand(
            key: OperationKey("local-\(agents[node].nextJob)"), clusterID: clusterID,
            nodeID: cluster.nodes[node].nodeID, epoch: agents[node].ledger.highestEpoch,
            name: .fence, timeoutMs: 5000)
        enqueue(
            AgentModel.Job(
                id: agents[node].nextJob, command: command, isOrder: false, effects: []), node)
    }

    // MARK: The guard

    func guardWatches(_ node: Int) {
        guard let end = agents[node].guardLeaseEndLocalMs else { return }
        agents[node].guardToken += 1
        at(
            localMs: end + 15, node,
            .guardLooks(node: node, token: agents[node].guardToken))
    }

    func guardLooks(_ node: Int, _ token: Int) {
        guard agents[node].guardToken == token, machineIsUp[node + 1],
            settings.mutation != .leaseNeverEnds
        else { return }
        guard nowMs >= agents[node].guardPausedUntilMs else {
            return events.add(
                .guardLooks(node: node, token: token),
                atMs: agents[node].guardPausedUntilMs + chance.int(0...5))
        }
        guard databases[node].isRunning, databases[node].role == .primary,
            let end = agents[node].guardLeaseEndLocalMs, localMs(node) >= end
        else { return }
        trace("\(name(node)) guard fences: the lease is over")
        stopDatabase(node, "fenced by the guard")
    }

    // MARK: Promises

    private func askPeers(_ node: Int) {
        let local = localMs(node)
        guard local - agents[node].lastAskedLocalMs >= 200,
            agents[node].promiseMs > 0
        else { return }
        agents[node].lastAskedLocalMs = local
        agents[node].promiseRound += 1
        agents[node].promisesGiven = []
        let round = PromiseRound(
            node: node, boot: agents[node].boot, round: agents[node].promiseRound,
            epoch: agents[node].ledger.highestEpoch, lengthMs: agents[node].promiseMs,
            sentLocalMs: local)
        for other in 0..<nodeCount where other != node {
            send(node + 1, other + 1, .promiseAsked(round))
        }
    }

    private func answer(_ round: PromiseRound, _ node: Int) {
        var given = false
        if !agents[node].promotes {
            let before = agents[node].ledger
            let end = localMs(node) + round.lengthMs
            let promise = Ledger.Promise(
                to: cluster.nodes[round.node].nodeID, epoch: round.epoch, untilBootMs: end,
                kernelBootID: Self.kernelBootID, lengthMs: round.lengthMs, untilUTCMs: 0)
            given =
                agents[node].ledger.give(
                    promise, isPrimary: agents[node].seesPrimary, at: boot(node)) == nil
            if settings.mutation == .promisesBroken { agents[node].ledger = before }
        }
        send(node + 1, round.node + 1, .promiseAnswered(round, given: given))
    }

    private func collect(_ round: PromiseRound, _ given: Bool, _ voter: Int, _ node: Int) {
        guard given, round.boot == agents[node].boot, round.round == agents[node].promiseRound,
            localMs(node) - round.sentLocalMs <= 1000
        else { return }
        agents[node].promisesGiven.insert(voter)
        guard agents[node].promisesGiven.count == nodeCount - 1 else { return }
        agents[node].promisesGiven = []
        let margin = settings.mutation == .promisesWithoutMargin ? 0 : round.lengthMs / 10
        trace("\(name(node)) lease goes on by promise of every other voter")
        agents[node].lease.grant(
            milliseconds: round.lengthMs - margin,
            from: BootInstant(milliseconds: round.sentLocalMs))
        checkLease(node)
    }

    // MARK: The process

    func stopAgent(_ node: Int) {
        guard agents[node].isUp else { return }
        trace("\(name(node)) agent dies")
        agents[node].isUp = false
        agents[node].queue = CommandQueue()
        agents[node].jobs = [:]
        checker.trouble(node, nowMs)
    }

    /// Only the first process beside a primary gets the long provisional time.
    private func inherited(_ node: Int) -> InheritedLease {
        guard let end = agents[node].guardLeaseEndLocalMs else { return .released }
        return .held(
            until: BootInstant(milliseconds: end), durationMs: agents[node].guardLeaseLengthMs)
    }

    func startAgent(_ node: Int) {
        guard !agents[node].isUp, machineIsUp[node + 1] else { return }
        trace("\(name(node)) agent starts")
        agents[node].isUp = true
        agents[node].pausedUntilMs = 0
        agents[node].boot += 1
        agents[node].sequence = 0
        agents[node].contactLocalMs = localMs(node)
        agents[node].promiseMs = 0
        agents[node].views = Array(repeating: nil, count: nodeCount)
        agents[node].failuresInRow = 0
        let isPatient = settings.mutation == .restartedAgentIsPatient
        // Where a lease is remembered the service counts as primary until a look says otherwise.
        let mayBePrimary = !isPatient && agents[node].guardLeaseEndLocalMs != nil
        agents[node].seen = ServiceReport(
            state: .unknown, role: mayBePrimary ? .primary : .unknown)
        agents[node].lease = Lease(
            agentStartedAt: boot(node), inherited: isPatient ? .never : inherited(node))
        checkLease(node)
        let boot = agents[node].boot
        after(chance.int(5...60), .agentProbes(node: node, boot: boot))
        after(chance.int(70...200), .agentReports(node: node, boot: boot))
    }
}
