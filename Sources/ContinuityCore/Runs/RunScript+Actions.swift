/// The core's own part of the stages: orders to agents, and what their answers prove.
extension RunScript {
    private var oldPrimary: NodeID { run.plan.primaryNodeID }
    private var target: NodeID { run.plan.failoverTargetID }

    // MARK: demote

    func demote() -> RunStep? {
        guard run.fenceProof == nil else { return nil }
        return run.kind == .switchover ? handOver() : fence()
    }

    /// Fence first: a receipt, or the end of the lease where nobody can answer.
    private func fence() -> RunStep? {
        let operation = Operation.command(
            .fence, on: oldPrimary, key: key("demote", "fence", oldPrimary), runID: run.runID,
            stage: .demote, timeoutMs: Self.commandTimeoutMs, onFailure: .continue)
        let isIntended = run.operations[operation.key] != nil
        if !isIntended, surroundings.heard.contains(oldPrimary) {
            // Nothing of it is alive, so nothing is added to what the others hold: they are asked
            // at the same time. Where nothing may be lost they are asked once that is proven: a
            // server that comes up and dies again meanwhile may have acknowledged a write.
            let early = surroundings.primaryIsStopped && !toleratesNoLoss ? earlyReadings : []
            return .intend([operation] + early.filter { run.operations[$0.key] == nil })
        }
        if !isIntended || run.results[operation.key].map({ $0.outcome != .ok }) == true {
            let missing = denials.filter { run.operations[$0.key] == nil }
            if !missing.isEmpty { return .intend(missing) }
        }
        if let result = run.results[operation.key] {
            switch result.outcome {
            case .ok:
                guard let receipt = result.receipt(of: oldPrimary) else {
                    return failure("\(oldPrimary) answered the fence order without its receipt")
                }
                return .proveFence(
                    .receipt, detail: "\(oldPrimary) is stopped (\(receipt.method))")
            case .failed, .refused:
                // An agent that lives and cannot stop its service will not at the lease's end
                // either, so the lease proves nothing here.
                return failure("\(oldPrimary) could not be fenced: \(result.detail)")
            case .timedOut, .unreachable, .inDoubt: break
            }
        }
        // One that is heard will answer, and a receipt says more than a report of before.
        if isIntended, run.results[operation.key] == nil, surroundings.heard.contains(oldPrimary) {
            return .wait
        }
        guard surroundings.leaseHasRunOut else {
            let isUnderWay = isIntended && run.results[operation.key] == nil
            return isUnderWay || run.awaitsLease ? .wait : .awaitLease
        }
        return expiry()
    }

    private var earlyReadings: [Operation] {
        ([target] + followers()).map { reading($0, stage: .demote, round: 0) }
    }

    /// The readings that were taken beside the fence. They count when that found the service
    /// stopped already: no position has moved since.
    private func validEarlyReadings() -> [Operation]? {
        let fence = run.results[key("demote", "fence", oldPrimary)]
        let early = earlyReadings
        guard run.fenceProof == .receipt, !toleratesNoLoss,
            fence?.receipt(of: oldPrimary)?.method == FenceReceipt.alreadyStopped,
            early.allSatisfy({ run.operations[$0.key] != nil })
        else { return nil }
        return early
    }

    /// Lease expiry alone is no proof: a primary that is cut off from here can extend its lease by
    /// promises of other voters. So as many voters as leave it too few to ask must refuse first,
    /// the target among them. Each answers once a promise that it gave before is over. Each
    /// leadership asks anew: a denial lasts for as long as a run may, not for as long as nobody
    /// leads.
    private var denials: [Operation] {
        surroundings.cluster.nodes.map(\.nodeID)
            .filter { $0 != oldPrimary && ($0 == target || isAsked($0)) }
            .map(denial)
    }

    private func isAsked(_ voter: NodeID) -> Bool {
        surroundings.heard.contains(voter) || run.operations[denial(of: voter).key] != nil
    }

    private func denial(of voter: NodeID) -> Operation {
        .command(
            .status, on: voter,
            key: key("demote", "deny-promises", voter, surroundings.epoch), runID: run.runID,
            stage: .demote,
            // A promise outlasts the lease that rests on it by a tenth; it must run out first.
            timeoutMs: Self.statusTimeoutMs +| surroundings.policy.lease.durationMs *| 5 / 4,
            source: oldPrimary, onFailure: .continue)
    }

    /// Whether the voter denies: it says so itself, for one that does not know the request
    /// answers it as well.
    private func denies(_ voter: NodeID) -> Bool {
        let result = run.results[denial(of: voter).key]
        return result?.command?.deniedPromisesTo == oldPrimary
    }

    private func expiry() -> RunStep {
        let asked = denials
        let missing = asked.filter { run.operations[$0.key] == nil }
        if !missing.isEmpty { return .intend(missing) }
        let deniers = Set(asked.compactMap(\.nodeID).filter(denies))
        let lacking = surroundings.promiseRules.first { rule in
            deniers.count { rule.voters.contains($0) } < rule.denialsNeeded
        }
        guard lacking != nil || !deniers.contains(target) else {
            return .proveFence(
                .leaseExpired,
                detail: "the lease of \(oldPrimary) and the clock margin have run out, and "
                    + deniers.sorted().map(\.rawValue).joined(separator: ", ")
                    + " deny it a promise")
        }
        guard asked.allSatisfy({ run.results[$0.key] != nil }) else { return .wait }
        let silent = asked.first { operation in
            operation.nodeID.map { !deniers.contains($0) } ?? false
        }
        let detail = silent.flatMap { run.results[$0.key]?.detail } ?? ""
        guard let lacking else {
            return failure("\(target) does not deny \(oldPrimary) its promise: \(detail)")
        }
        return failure(
            "\(deniers.count) voters deny \(oldPrimary) a promise and \(lacking.denialsNeeded) "
                + "must: \(silent?.nodeID?.rawValue ?? "too few are heard") \(detail)")
    }

    // MARK: promote

    /// Whether the target was ordered to become primary without it being known what came of it.
    var promotionIsInDoubt: Bool {
        let key = promoteKey
        guard run.operations[key] != nil else { return false }
        guard let result = run.results[key] else { return true }
        return !result.showsNoPromotion && run.results[targetFence.key]?.receipt(of: target) == nil
    }

    /// Stops a target whose promotion has failed.
    private var targetFence: Operation {
        .command(
            .fence, on: target, key: key("promote", "fence", target), runID: run.runID,
            stage: .promote, timeoutMs: Self.commandTimeoutMs, onFailure: .continue)
    }

    private var promoteKey: OperationKey { key("promote", "promote", target) }

    func promote() -> RunStep? {
        guard !run.promoted else { return nil }
        if let step = denyByTarget() { return step }
        if let step = detach() { return step }
        if let step = catchUp() { return step }
        let promote = Operation.command(
            .promote, on: target, key: promoteKey, runID: run.runID, stage: .promote,
            timeoutMs: min(Self.promoteTimeoutMs, run.plan.maxFailoverTimeMs))
        // The others turn to the target at the same time: with synchronous replication it can
        // acknowledge nothing before one of them has.
        let group = [promote] + turning().map { follow($0, source: target, "follow") }
        // It may still be on its way to follow an earlier target: that must not arrive afterwards.
        let isPointed = run.pendingOperations.contains {
            $0.nodeID == target && $0.pointsToSource
        }
        if isPointed, run.operations[promote.key] == nil { return .wait }
        let missing = group.filter { run.operations[$0.key] == nil }
        if run.operations[promote.key] == nil, !missing.isEmpty { return .intend(missing) }
        guard let result = run.results[promote.key] else { return .wait }
        if result.outcome == .ok { return .promoted }
        return giveUp(result)
    }

    /// A promotion that was begun and did not succeed leaves its target in doubt, and nobody else
    /// may become primary. Where somebody else could, or the old primary is to be started again, the
    /// target is stopped: that ends the doubt.
    private func giveUp(_ result: OperationResult) -> RunStep {
        let reason = "\(target) was not promoted: \(result.detail)"
        if result.showsNoPromotion { return targetFailure(reason) }
        let others = surroundings.cluster.nodes.contains {
            $0.holdsData && $0.nodeID != target && $0.nodeID != oldPrimary
                && $0.status == .healthy && $0.capacity > 0 && !$0.inMaintenance
        }
        // Its agent says that the order is over. One that is only not answered may have succeeded.
        let isOver =
            (result.outcome == .failed || result.outcome == .timedOut)
            && result.command?.service.map { $0.role != .primary } == true
        guard isOver, others || run.kind == .switchover, surroundings.heard.contains(target)
        else { return failure(reason) }
        if let step = complete([targetFence]) { return step }
        let isStopped = run.results[targetFence.key]?.receipt(of: target) != nil
        guard isStopped else { return failure(reason) }
        return targetFailure(reason + "; it is stopped, so that is certain")
    }

    // MARK: adopt

    /// Taken for the primary is only who runs as one, while nobody else does.
    func adopt() -> RunStep {
        let asked = surroundings.cluster.nodes.filter {
            $0.holdsData
                && (surroundings.heard.contains($0.nodeID) || $0.nodeID == target
                    || run.operations[key("notify", "status", $0.nodeID, 1)] != nil)
        }
        let readings = asked.map { reading($0.nodeID, stage: .notify, round: 1) }
        if let step = complete(readings) { return step }
        for operation in readings {
            let service = run.results[operation.key]?.command?.service
            let isPrimary = service?.role == .primary && service?.state != .stopped
            if operation.nodeID == target, !isPrimary || service?.state != .running {
                return failure("\(target) does not run as primary, so it cannot be adopted")
            }
            if operation.nodeID != target, isPrimary {
                return failure(
                    "\(operation.nodeID?.rawValue ?? "") runs as primary as well: stop one of them")
            }
        }
        let isAsked = asked.contains { $0.nodeID == oldPrimary }
        guard isAsked || surroundings.leaseHasRunOut else { return .wait }
        return .promoted
    }

    /// The promise of the target itself is what holds: one that was chosen after the old primary's
    /// lease was found over is asked like the first.
    private func denyByTarget() -> RunStep? {
        guard run.fenceProof == .leaseExpired, run.operations[promoteKey] == nil else {
            return nil
        }
        if let step = complete([denial(of: target)]) { return step }
        guard !denies(target) else { return nil }
        return targetFailure("\(target) does not deny \(oldPrimary) its promise")
    }

    private func followers() -> [NodeID] {
        surroundings.cluster.nodes
            .filter { $0.holdsData && $0.nodeID != target && $0.nodeID != oldPrimary }
            .map(\.nodeID).filter(surroundings.heard.contains)
    }

    /// The followers that are worth asking: one that people work on and that does not run is not.
    private func turning() -> [NodeID] {
        followers().filter { id in
            guard let node = surroundings.cluster.node(id), node.inMaintenance else { return true }
            return node.status == .healthy
                || run.operations[key("promote", "follow", id)] != nil
        }
    }

    private func follow(_ node: NodeID, source: NodeID, _ name: String) -> Operation {
        .command(
            .follow, on: node, key: key("promote", name, node), runID: run.runID,
            stage: .promote, timeoutMs: Self.commandTimeoutMs, source: source,
            onFailure: .continue)
    }

    /// Whether not one acknowledged write may be lost.
    private var toleratesNoLoss: Bool { surroundings.policy.rpoS == 0 && !run.mayLoseData }

    /// A primary whose lease is over but that nobody has seen stopped may wake from a pause and
    /// acknowledge a write with a secondary that still listens to it. Where nothing may be lost,
    /// the other secondaries turn away from it before the positions are read.
    private func detach() -> RunStep? {
        guard toleratesNoLoss, run.fenceProof == .leaseExpired,
            run.operations[promoteKey] == nil
        else { return nil }
        let group = followers().filter(surroundings.mayHold.contains)
            .map { follow($0, source: target, "detach") }
        if let step = complete(group) { return step }
        let lost = group.first { run.results[$0.key]?.outcome != .ok }
        guard let lost else { return nil }
        return failure(
            "\(lost.nodeID ?? "") does not turn away from \(oldPrimary), and rpo_s is 0")
    }

    /// No acknowledged write may be lost because another secondary has more than the target: the
    /// positions are read after the fence, and a target that is behind takes the rest first.
    private func catchUp() -> RunStep? {
        let readings =
            validEarlyReadings()
            ?? ([target] + followers()).map { reading($0, stage: .promote, round: 1) }
        let started = run.operations[promoteKey] != nil
        if started { return nil }
        if let step = complete(readings) { return step }
        let positions = tellPositions(of: readings)
        guard let own = positions.first(where: { $0.node == target })?.position else {
            return targetFailure("\(target) does not tell its position")
        }
        if toleratesNoLoss, let step = holdersAreKnown(positions, own) { return step }
        // Only one that runs as a secondary of the same primary can be followed: another's
        // position counts along another history.
        let ahead = positions.filter {
            $0.position > own && surroundings.replicas.contains($0.node)
        }
        guard let most = ahead.max(by: { $0.position < $1.position }) else { return lacks(own) }
        if let step = lacks(most.position) { return step }
        guard most.isRunning else { return nil }
        let follow = follow(target, source: most.node, "catch-up")
        if let step = complete([follow]) { return step }
        guard run.results[follow.key]?.outcome == .ok else {
            return targetFailure("\(target) is behind \(most.node) and cannot follow it")
        }
        for round in 2...Self.readingRounds {
            let again = reading(target, stage: .promote, round: round)
            if let step = complete([again]) { return step }
            let position = tellPositions(of: [again]).first?.position ?? 0
            if position >= most.position { return nil }
        }
        return targetFailure("\(target) did not catch up with \(most.node)")
    }

    /// One that follows the primary since it became primary need not have taken anything from it
    /// yet, nor what was acknowledged before. Found by simulation.
    private func lacks(_ position: Int64) -> RunStep? {
        guard toleratesNoLoss, let floor = surroundings.floorBytes, position < floor else {
            return nil
        }
        return failure(
            "\(target) has \(floor - position) bytes less than \(oldPrimary) had when it became "
                + "primary, and rpo_s is 0")
    }

    private struct Position {
        let node: NodeID
        let position: Int64
        let isRunning: Bool
    }

    /// Where each node stands. What an agent remembers of a service that does not run or does not
    /// answer is older than what it may hold: where nothing may be lost, that is no position.
    private func tellPositions(of readings: [Operation]) -> [Position] {
        readings.compactMap { operation in
            guard let node = operation.nodeID, let result = run.results[operation.key],
                let service = result.command?.service, let position = service.positionBytes
            else { return nil }
            let isRunning = result.outcome == .ok && service.state == .running
            guard isRunning || !toleratesNoLoss else { return nil }
            return Position(node: node, position: position, isRunning: isRunning)
        }
    }

    /// Whatever may hold an acknowledged write has told its position, and what is ahead of the
    /// target is known to be of the same history, so that the target can catch up with it.
    private func holdersAreKnown(_ positions: [Position], _ own: Int64) -> RunStep? {
        let read = Set(positions.map(\.node))
        let unread = surroundings.mayHold.subtracting(read).subtracting([oldPrimary]).min()
        if let unread {
            return failure("\(unread) may hold more than \(target), and rpo_s is 0")
        }
        let stranger = positions.first {
            $0.position > own && surroundings.mayHold.contains($0.node)
                && !surroundings.replicas.contains($0.node)
        }
        guard let stranger else { return nil }
        return failure(
            "\(stranger.node) is ahead of \(target), it is not known whether by what "
                + "\(oldPrimary) acknowledged, and rpo_s is 0")
    }

    func reading(_ node: NodeID, stage: Stage, round: Int) -> Operation {
        .command(
            .status, on: node, key: key(stage.rawValue, "status", node, round),
            runID: run.runID, stage: stage, timeoutMs: Self.statusTimeoutMs,
            onFailure: .continue)
    }

    // MARK: restart

    func restart() -> RunStep? {
        // A server that hangs is not started beside itself.
        let fence = Operation.command(
            .fence, on: oldPrimary, key: key("restart", "fence", oldPrimary), runID: run.runID,
            stage: .restart, timeoutMs: Self.commandTimeoutMs, onFailure: .continue)
        if surroundings.primaryHangs || run.operations[fence.key] != nil {
            if let step = complete([fence]) { return step }
            guard run.results[fence.key]?.receipt(of: oldPrimary) != nil else {
                return failure(
                    "\(oldPrimary) hangs and could not be stopped: "
                        + (run.results[fence.key]?.detail ?? ""))
            }
        }
        let operation = Operation.command(
            .restart, on: oldPrimary, key: key("restart", "restart", oldPrimary),
            runID: run.runID, stage: .restart, timeoutMs: Self.restartTimeoutMs)
        if let step = complete([operation]) { return step }
        guard let result = run.results[operation.key], result.outcome != .ok else { return nil }
        return failure("\(oldPrimary) did not start again: \(result.detail)")
    }

    // MARK: verify

    /// Reads every node that is heard. Where no secondary follows yet that could, it looks again, for
    /// a bounded time.
    func verify() -> RunStep {
        if let weights = run.plan.weights { return verifyWeights(weights) }
        let pendingFollows = run.pendingOperations.contains { $0.command == .follow }
        if pendingFollows { return .wait }
        let nodes = surroundings.cluster.nodes.map(\.nodeID)
        let round =
            (1...Self.readingRounds).last { round in
                nodes.contains { run.operations[verifyReading($0, round).key] != nil }
            } ?? 1
        let group = nodes.map { verifyReading($0, round) }.filter {
            run.operations[$0.key] != nil
                || $0.nodeID.map(surroundings.heard.contains) == true
        }
        if let step = complete(group) { return step }
        let readings = Dictionary(
            group.compactMap { operation -> (NodeID, ServiceReport)? in
                guard let node = operation.nodeID,
                    let service = run.results[operation.key]?.command?.service
                else { return nil }
                return (node, service)
            }, uniquingKeysWith: { $1 })
        let expected = followers().filter { readings[$0]?.state == .running }
        switch nextLook(
            round, expected, following: expected.filter { readings[$0]?.streaming == true })
        {
        case .never: break
        case .later: return .wait
        case .round(let next):
            return .intend(
                nodes.filter(surroundings.heard.contains).map { verifyReading($0, next) })
        }
        return .verified(
            Verification.verify(
                VerificationInput(
                    cluster: surroundings.cluster, policy: surroundings.policy,
                    expectedPrimary: target, readings: readings,
                    failedOperations: failedOperations)))
    }

    private func verifyReading(_ node: NodeID, _ round: Int) -> Operation {
        reading(node, stage: .verify, round: round)
    }

    private enum NextLook {
        case never, later
        case round(Int)
    }

    /// At once while secondaries may be on their way; then a report must tell of one; and a last time
    /// when the wait is over.
    private func nextLook(
        _ round: Int, _ expected: [NodeID], following: [NodeID]
    ) -> NextLook {
        if following.count == expected.count || round >= Self.readingRounds { return .never }
        if round < Self.quickReadingRounds { return .round(round + 1) }
        if !following.isEmpty { return .never }
        if surroundings.followWaitIsOver { return .round(Self.readingRounds) }
        return surroundings.streaming.isDisjoint(with: expected) ? .later : .round(round + 1)
    }

    /// Looks at the nodes that were given more to do. One that was lost meanwhile is the next
    /// shift's to deal with.
    private func verifyWeights(_ weights: [NodeWeight]) -> RunStep {
        let laden = weights.filter { share in
            share.weight > 0
                && (share.nodeID == target
                    || share.weight > surroundings.cluster.node(share.nodeID)?.weight ?? 0)
        }
        let group = laden.map { reading($0.nodeID, stage: .verify, round: 1) }
        if let step = complete(group) { return step }
        var readings: [NodeID: ServiceReport] = [:]
        for operation in group {
            guard let node = operation.nodeID else { continue }
            readings[node] = run.results[operation.key]?.command?.service
        }
        return .verified(
            Verification.verify(
                WeightVerification(
                    cluster: surroundings.cluster, policy: surroundings.policy, laden: laden,
                    shedPermille: run.plan.shedPermille ?? 0, readings: readings,
                    votersHeard: surroundings.heard.count, failedOperations: failedOperations)))
    }

    /// What failed in the run and was passed over, because its binding says so.
    private var failedOperations: [String] {
        run.operations.values.filter {
            guard let result = run.results[$0.key], result.outcome != .ok else { return false }
            // What failed at a target that was given up has been made up for by the next one.
            if let node = $0.nodeID, run.failedTargets.contains(node) { return false }
            return $0.stage != .verify && $0.command != .status && $0.command != .fence
        }
        .sorted { $0.key < $1.key }
        .map { "\($0.pack ?? $0.command?.rawValue ?? "") at \($0.stage?.rawValue ?? "")" }
    }
}
