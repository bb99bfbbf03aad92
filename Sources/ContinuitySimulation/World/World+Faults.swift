import ContinuityCore
import ContinuityNode

extension World {
    func begin(_ fault: Fault) {
        let lasting = apply(fault)
        guard let lasting else { return }
        after(lasting, .faultEnds(fault))
    }

    /// - Returns: after how long it ends; `nil` when it is over at once.
    private func apply(_ fault: Fault) -> Int64? {
        switch fault {
        case .databaseCrashes(let node):
            // -1 is whichever is the primary now.
            let primary = clusterState.flatMap { index(of: $0.primary) } ?? 0
            stopDatabase(node < 0 ? primary : node, "it crashes")
        case .databaseStarts(let node): startDatabase(node)
        case .databasePauses(let node, let ms): pauseDatabase(node, ms)
        case .machineStops(let node, let ms):
            trace("\(name(node)) machine stops")
            stopDatabase(node, "its machine stops")
            stopAgent(node)
            machineIsUp[node + 1] = false
            return ms
        case .machinePauses(let node, let ms):
            pauseAgent(node, ms)
            agents[node].guardPausedUntilMs = max(
                agents[node].guardPausedUntilMs, nowMs + ms)
            pauseDatabase(node, ms)
        case .agentDies(let node, let ms):
            stopAgent(node)
            return ms
        case .agentPauses(let node, let ms): pauseAgent(node, ms)
        case .guardPauses(let node, let ms):
            // Agent and guard together would leave nobody to fence: that is the watchdog's case.
            guard agents[node].isUp, !agents[node].isPaused(nowMs + ms) else { return nil }
            agents[node].guardPausedUntilMs = max(
                agents[node].guardPausedUntilMs, nowMs + min(ms, 50))
        case .cut(let from, let to, let ms):
            trace("\(machineName(from)) does not reach \(machineName(to)) any more")
            network.cut(from, to)
            noteCut(from, to, nowMs + ms)
            return ms
        case .lossy(let loss, let delayMs, let duplicate, let ms):
            trace("the network loses \(loss) ‰, delays up to \(delayMs) ms")
            network.lossPermille = loss
            network.extraDelayMs = delayMs
            network.duplicatePermille = duplicate
            // What was sent at the end arrives some seconds later.
            for node in 0..<nodeCount { checker.trouble(node, nowMs + ms + 9000) }
            return ms
        case .serveDies(let ms):
            stopServe("it is killed")
            return ms
        case .servePauses(let ms):
            guard serve.orchestrator != nil else { return nil }
            trace("serve is paused for \(ms) ms")
            serve.pausedUntilMs = max(serve.pausedUntilMs, nowMs + ms)
        case .serveDiesAtStep(let point, let ms): serve.crash = (point, ms)
        case .serveIsReplaced:
            guard serve.orchestrator != nil, serveIsPaused else { return nil }
            trace("another process takes the lead while serve is paused")
            stopServe("it is replaced while it is paused")
            startServe()
        case .utcJumps(let ms):
            trace("serve's UTC clock jumps by \(ms) ms")
            clocks[0].utcOffsetMs += ms
        case .profileChanges(let profile):
            trace("the policy's file says \(profile.rawValue)")
            self.profile = profile
        case .request(let kind, let target): ask(kind, target)
        case .order(let order): hear(.order(order, by: "operator"))
        case .person(let act): perform(act)
        case .hookBehaves(let pack, let behaviour): hookBehaviours[pack] = behaviour
        case .voterAdded(let node): addVoter(node)
        case .leaseStrays(let node, let ms):
            trace("\(name(node)) is granted a lease by mistake")
            grantLease(ms, fromLocalMs: localMs(node), node)
        case .statusIsUnknown(let node, let ms):
            trace("\(name(node)): status does not tell the role")
            agents[node].statusIsUnknown = true
            return ms
        case .orderFails(let command, let node, let ms):
            trace("\(name(node)): \(command.rawValue) fails from now on")
            failingOrders[command, default: []].insert(node)
            return ms
        case .shutdownHangs(let node, let ms):
            trace("\(name(node)): a stop does not end from now on")
            hangingShutdowns.insert(node)
            return ms
        }
        return nil
    }

    func end(_ fault: Fault) {
        switch fault {
        case .machineStops(let node, _):
            trace("\(name(node)) machine starts")
            machineIsUp[node + 1] = true
            agents[node].guardPausedUntilMs = 0
            startAgent(node)
            checker.trouble(node, nowMs)
        case .agentDies(let node, _):
            startAgent(node)
            checker.trouble(node, nowMs)
        case .cut(let from, let to, _):
            trace("\(machineName(from)) reaches \(machineName(to)) again")
            network.mend(from, to)
            noteCut(from, to, nowMs)
        case .lossy:
            network.lossPermille = 0
            network.extraDelayMs = 0
            network.duplicatePermille = 0
        case .serveDies:
            startServe()
        case .statusIsUnknown(let node, _): agents[node].statusIsUnknown = false
        case .orderFails(let command, let node, _): failingOrders[command]?.remove(node)
        case .shutdownHangs(let node, _): hangingShutdowns.remove(node)
        default: break
        }
    }

    private func addVoter(_ node: Int) {
        trace("\(name(node)) hears of another voter")
        let own = cluster.nodes[node].nodeID
        let voters = cluster.nodes.map(\.nodeID) + ["another-voter"]
        let reply = ReportReply(
            epoch: agents[node].ledger.highestEpoch, intervalMs: agents[node].intervalMs,
            jitterPermille: 0, leaseMs: nil, peers: [],
            promiseRule: PromiseRule(voters: voters, needed: voters.count - 1))
        _ = agents[node].ledger.hear(reply, by: own)
    }

    private func noteCut(_ from: Int, _ to: Int, _ untilMs: Int64) {
        if from > 0 { checker.trouble(from - 1, untilMs) }
        if to > 0 { checker.trouble(to - 1, untilMs) }
    }

    private func pauseAgent(_ node: Int, _ ms: Int64) {
        trace("\(name(node)) agent is paused for \(ms) ms")
        agents[node].pausedUntilMs = max(agents[node].pausedUntilMs, nowMs + ms)
        checker.trouble(node, nowMs + ms)
    }

    private func pauseDatabase(_ node: Int, _ ms: Int64) {
        guard databases[node].isRunning else { return }
        trace("\(name(node)) database is paused for \(ms) ms")
        let until = max(databases[node].pausedUntilMs, nowMs + ms)
        databases[node].pausedUntilMs = until
        // When everything wakes at once, the guard needs a few milliseconds.
        databases[node].excusedUntilMs = until + 30
        events.add(.look, atMs: until + 31)
        checker.trouble(node, until)
        guardWatches(node)
    }

    private func ask(_ kind: PlanKind, _ target: Int?) {
        trace("an operator asks for a \(kind.rawValue) to \(target.map { name($0) } ?? "the best")")
        hear(
            .request(
                OperatorRequest(
                    clusterID: clusterID, kind: kind,
                    targetNodeID: target.map { cluster.nodes[$0].nodeID },
                    reason: "simulated", requestedBy: "operator")))
    }

    func note(_ reply: Reply) {
        switch reply {
        case .refused(let refusal):
            decide(
                "refused", "the request is refused: \(refusal.rule.rawValue): \(refusal.evidence)")
        case .problem(let problem): decide("refused", "\(problem.type): \(problem.detail)")
        case .unknownCluster, .unknownNode: decide("refused", "the request names nobody known")
        default: break
        }
    }

    func machineName(_ machine: Int) -> String { machine == 0 ? "serve" : name(machine - 1) }

    /// Everything that was broken is mended: what is left must heal by itself.
    func ceaseFaults() {
        trace("all faults cease")
        network.lossPermille = 0
        network.extraDelayMs = 0
        network.duplicatePermille = 0
        failingOrders = [:]
        serve.crash = nil
        for node in 0..<nodeCount
        where databases[node].role == .secondary && cluster.nodes[node].holdsData {
            // A standby that crashed is started by its own supervisor.
            startDatabase(node)
        }
    }
}
