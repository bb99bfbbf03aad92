/// The fleet-wide brake: it latches, and only a person clears it.
extension Orchestrator {
    /// What keeps an automatic failover of any cluster from beginning now.
    func fleetBrake(_ now: Moment) -> PlanRefusal? {
        if let latch = state.fleet.latch {
            return PlanRefusal(
                rule: .fleetBrake,
                evidence: "\(latch.evidence); it holds until 'continuity brake clear'")
        }
        let brake = state.fleet.brake
        let moves = state.fleet.moves(atMs: now.utcMs)
        guard moves.count >= brake.maxFailovers else { return nil }
        let clusters = Set(moves.map(\.clusterID)).sorted().map(\.rawValue)
        return PlanRefusal(
            rule: .fleetBrake,
            evidence: "max_failovers (\(brake.maxFailovers)) within \(brake.windowS) s is reached: "
                + clusters.prefix(5).joined(separator: ", ")
                + (clusters.count > 5 ? " and \(clusters.count - 5) more" : ""))
    }

    /// - Throws: when the brake holds; it is latched by then, and told.
    mutating func passFleetBrake(_ id: ClusterID, _ now: Moment) throws(PlanRefusal) {
        guard let refusal = fleetBrake(now) else { return }
        guard state.fleet.latch == nil else { throw refusal }
        let moves = state.fleet.moves(atMs: now.utcMs)
        emit(
            .brakeLatched(
                BrakeLatched(
                    evidence: refusal.evidence, brake: state.fleet.brake,
                    runIDs: moves.map(\.runID))), cluster: id, now)
        queueAlert(
            type: "continuity.brake.latched", severity: .critical, cluster: id,
            subject: "fleet",
            summary: "no cluster moves by itself any more: \(refusal.evidence); look at what "
                + "happened, then 'continuity brake clear'",
            data: [
                "evidence": .string(refusal.evidence),
                "run_ids": .array(moves.map { .string($0.runID.rawValue) }),
            ], discriminator: String(state.head.seq), now)
        // Now with the words of the latch, which do not change any more.
        throw fleetBrake(now) ?? refusal
    }

    mutating func clearBrake(
        _ reason: String, by actor: String, _ now: Moment
    ) throws(OrderProblem) {
        try check(reason: reason)
        guard state.fleet.latch != nil else {
            throw OrderProblem("brake-not-latched", "the brake does not hold: nothing to clear")
        }
        emit(.brakeCleared(BrakeCleared(reason: reason)), cluster: nil, actor: actor, now)
        reply(.noted(seq: state.head.seq))
        evaluateAll(now)
    }

    /// Journals the settings where they differ from those that held.
    mutating func configure(_ brake: BrakeSettings, _ now: Moment) {
        guard state.fleet.brake != brake else { return }
        emit(.fleetConfigured(FleetConfigured(brake: brake)), cluster: nil, now)
    }
}
