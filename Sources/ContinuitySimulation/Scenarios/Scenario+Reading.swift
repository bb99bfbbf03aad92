import ContinuityCore

/// The lines of a scenario file.
extension Scenario {
    struct Mistake: Error { var message: String }

    mutating func read(_ line: String) throws(Mistake) {
        let text = line.prefix { $0 != "#" }
        var words = text.split(separator: " ").map(String.init)
        guard !words.isEmpty else { return }
        switch words.removeFirst() {
        case "title": break
        case "nodes": try readNodes(words)
        case "node": try readNode(words)
        case "topology": topology = try choice(words.first)
        case "quorum": quorumSize = Int(try number(words.first))
        case "synchronous": isSynchronous = true
        case "probe": probe = try choice(words.first)
        case "seed": seed = UInt64(try number(words.first))
        case "run": runMs = try time(words.first)
        case "policy": for word in words { try readPolicy(word) }
        case "brake": for word in words { try readBrake(word) }
        case "freeze": try readFreeze(words)
        case "hook": try readHook(words)
        case "plan": try readPlan(words)
        case "at": try readEvent(words)
        case let word: throw Mistake(message: "'\(word)' begins no line that is known")
        }
    }

    // MARK: Values

    func number(_ word: String?) throws(Mistake) -> Int64 {
        guard let word, let value = Int64(word) else {
            throw Mistake(message: "'\(word ?? "")' is no number")
        }
        return value
    }

    /// `250ms`, `43s` or `10m`, in milliseconds.
    func time(_ word: String?) throws(Mistake) -> Int64 {
        for (unit, factor) in [("ms", Int64(1)), ("s", 1000), ("m", 60_000)] {
            if let word, word.hasSuffix(unit), let value = Int64(word.dropLast(unit.count)) {
                return value * factor
            }
        }
        throw Mistake(message: "'\(word ?? "")' is no time; write for example 250ms, 43s or 10m")
    }

    private func machine(_ word: String?) throws(Mistake) -> Int {
        if word == "serve" { return 0 }
        return try node(word) + 1
    }

    func node(_ word: String?) throws(Mistake) -> Int {
        guard let index = nodes.firstIndex(where: { $0.nodeID.rawValue == word }) else {
            throw Mistake(message: "there is no node '\(word ?? "")'")
        }
        return index
    }

    func choice<Value: RawRepresentable>(_ word: String?) throws(Mistake) -> Value
    where Value.RawValue == String {
        guard let word, let value = Value(rawValue: word) else {
            throw Mistake(message: "'\(word ?? "")' is not one of the values that are known")
        }
        return value
    }

    func pair(_ word: String) throws(Mistake) -> (key: String, value: String) {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Mistake(message: "'\(word)' is not key=value") }
        return (parts[0], parts[1])
    }

    // MARK: Cluster

    /// `nodes 5` or `nodes 3 witnesses=1`: node-1 is the primary.
    private mutating func readNodes(_ words: [String]) throws(Mistake) {
        let count = Int(try number(words.first))
        var witnesses = 0
        for word in words.dropFirst() { witnesses = Int(try number(try pair(word).value)) }
        nodes = (1...max(1, count)).map { number in
            Node(
                nodeID: NodeID("node-\(number)"),
                role: number == 1 ? .primary : number > count - witnesses ? .witness : .secondary)
        }
    }

    private mutating func readNode(_ words: [String]) throws(Mistake) {
        guard words.count >= 2 else { throw Mistake(message: "write 'node ID ROLE key=value …'") }
        var node = Node(nodeID: NodeID(words[0]), role: try choice(words[1]))
        for word in words.dropFirst(2) {
            let (key, value) = try pair(word)
            switch key {
            case "region": node.region = value
            case "site": node.site = value
            case "priority": node.priority = try number(value)
            case "weight": node.weight = try number(value)
            case "capacity": node.capacity = try number(value)
            case "lag_ms": node.lagMs = try number(value)
            case "status": node.status = try choice(value)
            default: throw Mistake(message: "a node has no '\(key)'")
            }
        }
        nodes.append(node)
    }

    // MARK: Policy

    private mutating func readPolicy(_ word: String) throws(Mistake) {
        let (key, value) = try pair(word)
        switch key {
        case "strategy": policy.strategy = try choice(value)
        case "profile":
            policy.detection = .settings(for: try choice(value))
            policy.lease = LeaseSettings(detection: policy.detection)
        case "max_failover_time_s": policy.maxFailoverTimeS = try number(value)
        case "require_quorum": policy.requireQuorum = value == "true"
        case "region_priority": policy.regionPriority = list(value)
        case "site_priority": policy.sitePriority = list(value)
        case "min_healthy_nodes": policy.minHealthyNodes = Int(try number(value))
        case "recovery_threshold": policy.detection.recoveryThreshold = try number(value)
        case "cooldown_s": policy.cooldownS = try number(value)
        case "rpo_s": policy.rpoS = try number(value)
        case "on_service_failure": policy.onServiceFailure = try choice(value)
        case "restart_attempts": policy.restartAttempts = Int(try number(value))
        case "return_step_permille":
            var weights = policy.weighting
            weights.returnStepPermille = try number(value)
            policy.weights = weights
        case "return_interval_s":
            var weights = policy.weighting
            weights.returnIntervalS = try number(value)
            policy.weights = weights
        case "on_capacity_exceeded":
            var weights = policy.weighting
            weights.onCapacityExceeded = try choice(value)
            policy.weights = weights
        case "flap_window_s":
            policy.flap = FlapSettings(
                windowS: try number(value), cooldownMaxS: policy.flapping.cooldownMaxS)
        case "cooldown_max_s":
            policy.flap = FlapSettings(
                windowS: policy.flapping.windowS, cooldownMaxS: try number(value))
        case "demote_timeout_ms":
            var handover = policy.handover
            handover.demoteTimeoutMs = try number(value)
            policy.switchover = handover
        case "on_demote_timeout":
            var handover = policy.handover
            handover.onDemoteTimeout = try choice(value)
            policy.switchover = handover
        case "slo_budget_s":
            policy.sloGuard = SLOGuard(budgetS: try number(value), windowS: 3600)
        default: throw Mistake(message: "a policy has no '\(key)' here")
        }
    }

    private func list(_ value: String) -> [String] { value.split(separator: ",").map(String.init) }

    /// `freeze 5s 40s reason …`, counted from the start of the scenario.
    private mutating func readFreeze(_ words: [String]) throws(Mistake) {
        guard words.count >= 3 else { throw Mistake(message: "write 'freeze FROM UNTIL REASON'") }
        policy.freezeWindows.append(
            FreezeWindow(
                fromMs: DriftingClock.epochUTCMs + (try time(words[0])),
                untilMs: DriftingClock.epochUTCMs + (try time(words[1])),
                reason: words[2...].joined(separator: " ")))
    }

    /// `hook STAGE before|after PACK key=value … [repeatable]`.
    private mutating func readHook(_ words: [String]) throws(Mistake) {
        guard words.count >= 3 else {
            throw Mistake(message: "write 'hook STAGE before|after PACK'")
        }
        var hook = HookBinding(
            stage: try choice(words[0]), timing: try choice(words[1]), pack: words[2])
        for word in words.dropFirst(3) {
            if word == "repeatable" {
                hook.repeatable = true
                continue
            }
            let (key, value) = try pair(word)
            switch key {
            case "on_failure": hook.onFailure = try choice(value)
            case "timeout_ms": hook.timeoutMs = try number(value)
            case "retries": hook.retries = Int(try number(value))
            case "order": hook.order = try number(value)
            default: throw Mistake(message: "a hook has no '\(key)'")
            }
        }
        policy.hooks.append(hook)
    }

    private mutating func readPlan(_ words: [String]) throws(Mistake) {
        let target = words.count > 1 ? NodeID(words[1]) : nil
        plans.append(
            PlanRequest(
                kind: try choice(words.first), triggerReason: "scenario", targetNodeID: target))
    }

    // MARK: Events

    private mutating func readEvent(_ words: [String]) throws(Mistake) {
        let atMs = try time(words.first)
        var words = Array(words.dropFirst())
        var lengthMs: Int64 = 10_000_000
        if let place = words.firstIndex(of: "for") {
            lengthMs = try time(place + 1 < words.count ? words[place + 1] : nil)
            words.removeSubrange(place...)
        }
        guard !words.isEmpty else { throw Mistake(message: "what happens then?") }
        for fault in try faults(words.removeFirst(), words, lengthMs) {
            events.append((atMs, fault))
        }
    }

    private func faults(
        _ verb: String, _ words: [String], _ ms: Int64
    ) throws(Mistake) -> [Fault] {
        switch verb {
        case "crash-database":
            return [.databaseCrashes(node: words.first == "primary" ? -1 : try node(words.first))]
        case "start-database": return [.databaseStarts(node: try node(words.first))]
        case "pause-database": return [.databasePauses(node: try node(words.first), ms: ms)]
        case "pause-machine": return [.machinePauses(node: try node(words.first), ms: ms)]
        case "pause-agent": return [.agentPauses(node: try node(words.first), ms: ms)]
        case "stop-machine": return [.machineStops(node: try node(words.first), ms: ms)]
        case "kill-agent": return [.agentDies(node: try node(words.first), ms: ms)]
        case "add-voter": return [.voterAdded(node: try node(words.first))]
        case "stray-lease": return [.leaseStrays(node: try node(words.first), ms: ms)]
        case "status-unknown": return [.statusIsUnknown(node: try node(words.first), ms: ms)]
        case "kill-serve": return [.serveDies(ms: ms)]
        case "pause-serve": return [.servePauses(ms: ms)]
        case "kill-serve-at-step": return [.serveDiesAtStep(point: try point(words.first), ms: ms)]
        case "profile": return [.profileChanges(try choice(words.first))]
        case "jump-utc": return [.utcJumps(ms: try time(words.first))]
        case "fail-order":
            return [.orderFails(try choice(words.first), node: try node(words.last), ms: ms)]
        case "hang-shutdown": return [.shutdownHangs(node: try node(words.first), ms: ms)]
        case "hook": return [.hookBehaves(pack: words.first ?? "", try behaviour(words.last))]
        case "request":
            let target = words.count > 1 ? try node(words[1]) : nil
            return [.request(kind: try choice(words.first), target: target)]
        default:
            if let orders = try orders(verb, words, ms) { return orders }
            return try cuts(verb, words, ms)
        }
    }

    private func cuts(_ verb: String, _ words: [String], _ ms: Int64) throws(Mistake) -> [Fault] {
        switch verb {
        case "cut-one-way":
            return [.cut(from: try machine(words.first), to: try machine(words.last), ms: ms)]
        case "cut": return bothWays([try machine(words.first)], [try machine(words.last)], ms)
        case "isolate":
            // All that are named stay together, the rest stays together.
            var inside: [Int] = []
            for word in words { inside.append(try machine(word)) }
            return bothWays(inside, (0...nodes.count).filter { !inside.contains($0) }, ms)
        default: throw Mistake(message: "'\(verb)' is no event that is known")
        }
    }

    private func bothWays(_ some: [Int], _ others: [Int], _ ms: Int64) -> [Fault] {
        some.flatMap { one in
            others.flatMap { other in
                [
                    Fault.cut(from: one, to: other, ms: ms), .cut(from: other, to: one, ms: ms),
                ]
            }
        }
    }

    private func point(_ word: String?) throws(Mistake) -> Fault.CrashPoint {
        switch word {
        case "before-append": .beforeAppend
        case "part-of-append": .partOfAppend
        case "after-append": .afterAppend
        case "among-effects": .amongEffects
        default:
            throw Mistake(
                message: "write before-append, part-of-append, after-append or among-effects")
        }
    }

    private func behaviour(_ word: String?) throws(Mistake) -> Fault.HookBehaviour {
        switch word {
        case "well": .well
        case "fails": .fails
        case "hangs": .hangs
        case "denies": .denies
        default: throw Mistake(message: "a hook goes well, fails, hangs or denies")
        }
    }
}
