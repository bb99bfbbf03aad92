/// How the cooldown grows where a cluster moves by itself again and again.
package struct FlapSettings: Codable, Hashable, Sendable {
    /// Automatic failovers count for so long; 0 switches the backoff off.
    package var windowS: Int64
    /// What the cooldown never exceeds, unless `cooldown_s` itself does.
    package var cooldownMaxS: Int64

    package init(windowS: Int64 = 3600, cooldownMaxS: Int64 = 3600) {
        self.windowS = windowS
        self.cooldownMaxS = cooldownMaxS
    }

    private enum CodingKeys: String, CodingKey {
        case windowS = "window_s"
        case cooldownMaxS = "cooldown_max_s"
    }
}

extension FailoverPolicy {
    /// The cooldown after the last of `count` automatic failovers within the window, in seconds:
    /// `cooldown_s` doubled for each one before it, `cooldown_max_s` at most.
    package func cooldownS(afterFailovers count: Int) -> Int64 {
        var cooldown = cooldownS
        // Thirty doublings of a second are more than any bound.
        for _ in 0..<min(max(0, count - 1), 30) where cooldown < flapping.cooldownMaxS {
            cooldown = min(cooldown * 2, flapping.cooldownMaxS)
        }
        return cooldown
    }

    package var flapping: FlapSettings { flap ?? FlapSettings() }
}

extension ClusterState {
    /// How many finished automatic failovers are remembered: more doublings no cooldown survives.
    private static let remembered = 32

    mutating func rememberMove(_ run: RunState, _ outcome: RunOutcome, atMs: Int64) {
        guard outcome == .committed, run.kind != .rebalance,
            run.kind.isAutomaticFailover(run.trigger)
        else { return }
        automaticMovesAtMs = (automaticMovesAtMs + [atMs]).suffix(Self.remembered)
    }

    /// How many automatic failovers there were in the window that the last run closed. 0 when a
    /// person asked for the last one: that is no flapping. Looked at from the run's end, so that a
    /// hold keeps its words while time passes.
    var failoversInARow: Int {
        guard let last = lastRun, automaticMovesAtMs.last == last.finishedAtMs else { return 0 }
        let windowMs = policy.flapping.windowS *| 1000
        return automaticMovesAtMs.count { last.finishedAtMs -| $0 < windowMs }
    }

    /// What the last finished run keeps from beginning until later.
    func cooldown(at now: Moment) -> Hold? {
        // Losing a second node is no flapping, and coming back is paced by its own steps.
        guard let last = lastRun, last.state == .committed, last.kind != .rebalance else {
            return nil
        }
        let count = failoversInARow
        let cooldownS = policy.cooldownS(afterFailovers: count)
        let until = last.finishedAtMs +| cooldownS *| 1000
        guard now.utcMs < until else { return nil }
        guard cooldownS > policy.cooldownS else {
            return Hold(
                rule: .cooldown,
                evidence: "\(last.runID) finished less than \(policy.cooldownS) s ago",
                earliestAtMs: until)
        }
        return Hold(
            rule: .flapBackoff,
            evidence: "\(last.runID) was automatic failover \(count) within "
                + "\(policy.flapping.windowS) s: cooldown_s \(policy.cooldownS) becomes \(cooldownS)",
            earliestAtMs: until)
    }
}
