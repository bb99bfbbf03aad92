/// How much a service may be away within a window. Planned moves spend nothing that is not there;
/// an outage spends it anyway, so a failover is never held by it.
package struct SLOGuard: Codable, Hashable, Sendable {
    package var budgetS: Int64
    package var windowS: Int64

    package init(budgetS: Int64, windowS: Int64) {
        self.budgetS = budgetS
        self.windowS = windowS
    }

    private enum CodingKeys: String, CodingKey {
        case budgetS = "budget_s"
        case windowS = "window_s"
    }
}

/// When the service was away, as the journal saw it: from its failure, or from the moment at which
/// a planned move had stopped it, until somebody was the primary again.
package struct OutageLog: Hashable, Sendable {
    /// The oldest are forgotten; a service with more outages has spent any budget.
    private static let remembered = 256

    package struct Outage: Hashable, Sendable {
        package var fromMs: Int64
        package var untilMs: Int64

        package init(fromMs: Int64, untilMs: Int64) {
            self.fromMs = fromMs
            self.untilMs = untilMs
        }
    }

    package private(set) var outages: [Outage] = []
    package private(set) var awaySinceMs: Int64?

    package init(outages: [Outage] = []) { self.outages = outages }

    mutating func away(atMs: Int64) { awaySinceMs = awaySinceMs ?? atMs }

    mutating func back(atMs: Int64) {
        guard let since = awaySinceMs else { return }
        outages = (outages + [Outage(fromMs: since, untilMs: max(since, atMs))])
            .suffix(Self.remembered)
        awaySinceMs = nil
    }

    /// For how long it was away within the window that ends now.
    package func spentMs(windowMs: Int64, nowMs: Int64) -> Int64 {
        var all = outages
        if let since = awaySinceMs { all.append(Outage(fromMs: since, untilMs: nowMs)) }
        return all.reduce(0) { sum, outage in
            sum +| max(0, min(outage.untilMs, nowMs) -| max(outage.fromMs, nowMs -| windowMs))
        }
    }
}

extension ClusterState {
    mutating func watchOutage(_ body: JournalBody, atMs: Int64) {
        guard cluster.topology == .activePassive else { return }
        switch body {
        case .nodeStatusChanged(let body):
            guard body.nodeID == primary else { return }
            if body.to == .failed { outages.away(atMs: atMs) }
            if body.to == .healthy { outages.back(atMs: atMs) }
        case .fenceProven: outages.away(atMs: atMs)
        case .primaryChanged: outages.back(atMs: atMs)
        default: break
        }
    }

    /// Why a planned move must not spend what it is expected to take.
    func sloRefusal(of plan: Plan, at now: Moment) -> PlanRefusal? {
        guard plan.kind == .switchover, let slo = policy.sloGuard else { return nil }
        let spent = outages.spentMs(windowMs: slo.windowS *| 1000, nowMs: now.utcMs)
        let expected = plan.actions.filter { $0.action == .demote || $0.action == .promote }
            .reduce(0) { $0 +| $1.estimatedMs }
        guard spent +| expected > slo.budgetS *| 1000 else { return nil }
        return PlanRefusal(
            rule: .sloGuard,
            evidence: "\(spent) ms of \(slo.budgetS) s within \(slo.windowS) s are spent, and the "
                + "move is expected to take \(expected) ms")
    }
}
