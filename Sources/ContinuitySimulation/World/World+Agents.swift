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
        if service.state == .stopped, agents[node].ledger.fenced?.isByLease == true {
            service.isFenced = true
        }
        let report = NodeReport(
            clusterID: clusterID, nodeID: cluster.nodes[node].nodeID,
            bootID: "boot-\(agents[node].boot)", sequence: agents[node].sequence,
            highestEpoch: agents[node].ledger.highestEpoch,
            instanceID: agents[node].ledger.instanceID, service: service, peers: peers,
            clockMs: localMs(node), promiseRule: agents[node].promiseRule?.id,
            isUnleased: agents[node].ledger.isUnleased ? true : nil)
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
        case .promiseAsked(let asked): answer(asked, node)
        case .promiseAnswered(let asked, let reply): collect(asked, reply, node)
        case .report, .result: break
        }
    }

    private func take(_ reply: ReportReply, _ sentLocalMs: Int64, _ node: Int) {
        let limit = min(max(agents[node].intervalMs, 500), 10_000)
        guard localMs(node) - sentLocalMs <= limit else { return }
        guard agents[node].ledger.leadership.refusal(of: reply.leadership) == nil else { return }
        agents[node].ledger.raise(to: reply.leadership)
        _ = agents[node].ledger.hear(reply, by: cluster.nodes[node].nodeID)
        agents[node].promiseRule = reply.promiseRule
        agents[node].intervalMs = reply.intervalMs
        agents[node].contactLocalMs = max(agents[node].contactLocalMs, sentLocalMs)
        if settings.mutation == .denialsEndTooSoon {
            agents[node].ledger.endDenial(reportSentAt: BootInstant(milliseconds: .max))
        } else if reply.endsDenials == true {
            agents[node].ledger.endDenial(reportSentAt: BootInstant(milliseconds: sentLocalMs))
        }
        var lostMs: Int64 = 0
        if let theirsMs = reply.clockMs, settings.mutation?.breaksClocks != true {
            lostMs = agents[node].stalls.heard(
                theirsMs, from: reply.instanceID, sentAt: BootInstant(milliseconds: sentLocalMs),
                at: boot(node))
            if lostMs > 0 { agents[node].lease.shorten(byMs: lostMs) }
        }
        guard let leaseMs = reply.leaseMs, lostMs == 0 else { return }
        let start = settings.mutation == .leaseFromArrival ? localMs(node) : sentLocalMs
        grantLease(leaseMs, fromLocalMs: start, node)
    }

    /// A lease of the orchestrator's, with an answer or an order.
    func grantLease(_ leaseMs: Int64, fromLocalMs start: Int64, _ node: Int) {
        agents[node].promiseMs = leaseMs
        guard takesLease(node) else { return }
        checkOwnPromise(node)
        agents[node].lease.grant(
            milliseconds: leaseMs, from: BootInstant(milliseconds: start))
        checkLeaseIsKnown(node, untilLocalMs: start + leaseMs)
        checkLease(node)
    }

    /// Not against its own promise, and not while it is fenced.
    private func takesLease(_ node: Int) -> Bool {
        let ledger = agents[node].ledger
        if settings.mutation == .leaseAgainstPromise { return ledger.fenced == nil }
        return ledger.leaseBlock(at: boot(node)) == nil
    }

    // MARK: Probing

    /// A negative boot is a look that the kernel asked for: it is not repeated.
    func agentProbes(_ node: Int, _ boot: Int) {
        guard isDue(node, abs(boot), .agentProbes(node: node, boot: boot)) else { return }
        let before = (agents[node].seen.state, agents[node].seen.role)
        let wasPrimary = agents[node].seesPrimary
        let views = agents[node].views
        look(node)
        if wasPrimary, agents[node].seen.state == .stopped { noteEndOfPrimary(node) }
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

    /// Its lease had ended, so agent or guard have stopped it.
    private func noteEndOfPrimary(_ node: Int) {
        guard !agents[node].ledger.isUnleased, !agents[node].lease.isOfNobody,
            let end = agents[node].lease.heldUntil ?? agents[node].lease.expiresAt,
            end <= boot(node)
        else { return }
        noteFence(node, isByLease: true, wasPrimary: true)
    }

    func noteFence(_ node: Int, isByLease: Bool, wasPrimary: Bool) {
        let before = agents[node].ledger.fenced
        agents[node].ledger.fence(
            Fenced(
                sinceUTCMs: before?.sinceUTCMs ?? nowMs,
                isByLease: isByLease || before?.isByLease == true,
                wasPrimary: wasPrimary || before?.wasPrimary == true))
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
            let wasStopped = seen.state == .stopped
            seen.state = .running
            // A status program that cannot tell takes nothing back of what it told before.
            if !agents[node].statusIsUnknown {
                seen.role = database.role
            } else if settings.mutation == .unknownDisarms || wasStopped {
                seen.role = .unknown
            }
            seen.positionBytes = database.positionBytes
            seen.streaming = database.role == .secondary && database.isStreaming
            // What is received is replayed at once: PostgreSQL calls that no lag.
            seen.lagMs = 0
            seen.detail = ""
        }
        agents[node].seen = seen
        if seen.state == .stopped || agents[node].seesPrimary {
            agents[node].promotions.settle()
        }
        if seen.state == .stopped || seen.role != .unknown {
            agents[node].lease.found(primary: agents[node].seesPrimary)
        }
    }

    private func lookAtPeers(_ node: Int) {
        for other in 0..<nodeCount where other != node {
            let view: PeerView
            if !network.connects(node + 1, other + 1) || !machineIsUp[other + 1] {
                view = .unreachable
            } else if agents[other].isUp, !agents[other].isPaused(nowMs) {
                view = agents[other].seen.state == .stopped ? .serviceStopped : .reachable
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
        if agents[node].seesPrimary, agents[node].ledger.fenced != nil, !agents[node].promotes {
            return fenceLocally(node)
        }
        guard !agents[node].ledger.isUnleased else {
            agents[node].guardLeaseEndLocalMs = nil
            return
        }
        let longest = min(max(2 * agents[node].intervalMs, 500), 2000)
        let grace = max(0, agents[node].contactLocalMs + longest - local)
        let verdict = agents[node].lease.check(
            isPrimary: agents[node].seesPrimary, graceMs: grace, now: boot(node))
        agents[node].guardLeaseEndLocalMs = agents[node].lease.expiresAt?.milliseconds
        agents[node].guardLeaseLengthMs = agents[node].lease.lastDurationMs
        if settings.mutation == .unknownDisarms, !agents[node].seesPrimary {
            agents[node].guardLeaseEndLocalMs = nil
        }
        guardWatches(node)
        switch verdict {
        case .idle: return
        case .valid, .leave: break
        case .askPeers: askPeers(node)
        case .fence:
            if settings.mutation != .leaseNeverEnds { fenceLocally(node) }
        }
        agents[node].leaseToken += 1
        var next =
            agents[node].lease.nextCheck(after: boot(node))?.milliseconds ?? local + 1000
        switch verdict {
        case .askPeers, .fence: next = min(max(next, local), local + 200)
        case .idle, .valid, .leave: break
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
        askOnce(node)
    }

    private func askOnce(_ node: Int) {
        let peers = cluster.nodes.map(\.nodeID).filter { $0 != cluster.nodes[node].nodeID }
        let round = PromiseRound(
            from: cluster.nodes[node].nodeID, of: clusterID,
            obeying: agents[node].ledger.leadership, peers: peers, rule: agents[node].promiseRule,
            leaseMs: agents[node].promiseMs, at: boot(node))
        agents[node].promiseRound += 1
        agents[node].round = round
        if round.needed == 0 { return goOn(by: round, node) }
        let asked = PromiseAsked(
            node: node, boot: agents[node].boot, round: agents[node].promiseRound,
            request: round.request)
        for voter in round.asked {
            guard let other = index(of: voter) else { continue }
            send(node + 1, other + 1, .promiseAsked(asked))
        }
    }

    private func answer(_ asked: PromiseAsked, _ node: Int) {
        let known = agents[node].ledger.leadership
        var refusal: Ledger.Refusal? = .other("a promotion is under way here")
        if !agents[node].promotes, !agents[node].promotions.mayYetPromote(at: boot(node)) {
            let before = agents[node].ledger
            var request = asked.request
            if settings.mutation == .promiseSetIgnored { request.voters = nil }
            let isPrimary =
                agents[node].seesPrimary
                || agents[node].lease.heldUntil.map { boot(node) < $0 } == true
            refusal = agents[node].ledger.give(
                request, by: cluster.nodes[node].nodeID, isPrimary: isPrimary,
                kernelBootID: Self.kernelBootID, utcMs: nowMs, at: boot(node))
            if settings.mutation == .promisesBroken { agents[node].ledger = before }
            if refusal == nil { checkVoters(asked.request, node) }
        }
        var reply = PromiseReply(nodeID: cluster.nodes[node].nodeID, promised: refusal == nil)
        if case .leadership? = refusal {
            reply.epoch = known.epoch
            reply.instanceID = known.instanceID
        }
        send(node + 1, asked.node + 1, .promiseAnswered(asked, reply))
    }

    private func collect(_ asked: PromiseAsked, _ reply: PromiseReply, _ node: Int) {
        guard asked.boot == agents[node].boot, asked.round == agents[node].promiseRound,
            let sentAt = agents[node].round?.sentAt, boot(node) - sentAt <= 1000
        else { return }
        guard reply.promised else {
            guard let epoch = reply.epoch, epoch > agents[node].ledger.highestEpoch else { return }
            agents[node].ledger.raise(
                to: Leadership(epoch: epoch, instanceID: reply.instanceID))
            return askOnce(node)
        }
        if agents[node].round?.promise(of: reply.nodeID) == true, let round = agents[node].round {
            goOn(by: round, node)
        }
    }

    private func goOn(by round: PromiseRound, _ node: Int) {
        guard takesLease(node) else { return }
        let wished = agents[node].promiseMs
        let leaseMs =
            settings.mutation == .promisesWithoutMargin
            ? round.request.promiseMs : round.leaseMs(of: wished)
        trace("\(name(node)) lease goes on by promise of \(round.needed) voters")
        agents[node].lease.grant(milliseconds: leaseMs, from: round.sentAt)
        checkLease(node)
    }

    // MARK: The process

    func stopAgent(_ node: Int) {
        guard agents[node].isUp else { return }
        trace("\(name(node)) agent dies")
        if let id = agents[node].queue.runningID, let job = agents[node].jobs[id] {
            goesOnAlone(job, node)
        }
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
        agents[node].promiseRule = nil
        agents[node].stalls = StallDetector()
        agents[node].promotions = PromotionWatch()
        if agents[node].ledger.underWay != nil { agents[node].promotions.doubt(from: boot(node)) }
        agents[node].ledger.takeOver()
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
