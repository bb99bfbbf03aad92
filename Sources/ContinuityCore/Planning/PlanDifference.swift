extension Plan {
    private static let evidenceMax = 2000

    /// What this plan does otherwise than one that was made before, for people; empty: the same.
    ///
    /// Why it was planned and how long it is thought to take do not count: times that were
    /// measured since are no reason to do another thing.
    package func differences(from asked: Plan) -> [String] {
        var found: [String] = []
        func compare(_ name: String, _ now: String, _ then: String) {
            if now != then { found.append("\(name) would be '\(now)' now, not '\(then)'") }
        }
        compare("cluster_id", clusterID.rawValue, asked.clusterID.rawValue)
        compare("policy_id", policyID.rawValue, asked.policyID.rawValue)
        compare("kind", kind.rawValue, asked.kind.rawValue)
        compare("primary_node_id", primaryNodeID.rawValue, asked.primaryNodeID.rawValue)
        compare("failover_target_id", failoverTargetID.rawValue, asked.failoverTargetID.rawValue)
        compare(
            "max_failover_time_ms", String(maxFailoverTimeMs), String(asked.maxFailoverTimeMs))
        compare("actions", described(actions), described(asked.actions))
        compare("weights", "\(weights ?? [])", "\(asked.weights ?? [])")
        return found
    }

    private func described(_ actions: [PlannedAction]) -> String {
        actions.map { action in
            let hooks = action.hooks.isEmpty ? "" : " with \(action.hooks.joined(separator: "+"))"
            return "\(action.action.rawValue) \(action.nodeID)\(hooks)"
        }.joined(separator: ", ")
    }

    /// - Throws: ``PlanRefusal`` when this is not what was asked for.
    func mustBe(_ asked: Plan?) throws(PlanRefusal) {
        guard let asked else { return }
        let found = differences(from: asked)
        guard found.isEmpty else {
            throw PlanRefusal(
                rule: .planChanged,
                evidence: "\(asked.planID) is not what would be done: "
                    + found.joined(separator: "; ").prefix(Self.evidenceMax) + "; plan anew")
        }
    }
}
