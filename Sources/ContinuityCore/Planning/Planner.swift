/// What a plan is asked for.
package struct PlanRequest: Hashable, Sendable {
    package var kind: PlanKind
    package var triggerReason: String
    /// The node that a person asked for; the policy chooses when it is `nil`.
    package var targetNodeID: NodeID?
    /// How many voters are heard: an agent votes whatever became of its service. `nil`, as for a
    /// plan from files, when only the statuses tell.
    package var votersHeard: Int?
    /// What the policies say of the candidates, in the order in which it counts.
    package var scores: [TargetScores]
    /// The target may lag more than `rpo_s` allows.
    package var acceptsDataLoss: Bool
    /// With `rebalance`: what the nodes have now; those that are not named have their own.
    package var weights: [NodeID: Int64]?
    /// With `rebalance`: whether nodes that come back may take their next step.
    package var mayReturn = true
    /// Nodes that the run in hand could not use.
    package var excluded: Set<NodeID> = []

    package init(
        kind: PlanKind, triggerReason: String, targetNodeID: NodeID? = nil,
        votersHeard: Int? = nil, scores: [TargetScores] = [], acceptsDataLoss: Bool = false
    ) {
        self.scores = scores
        self.kind = kind
        self.triggerReason = triggerReason
        self.targetNodeID = targetNodeID
        self.votersHeard = votersHeard
        self.acceptsDataLoss = acceptsDataLoss
    }
}

/// Why there is no plan: the rule that stands against it and the evidence.
package struct PlanRefusal: Error, Hashable, Sendable {
    package let rule: HoldRule
    package let evidence: String

    package init(rule: HoldRule, evidence: String) {
        self.rule = rule
        self.evidence = evidence
    }
}

/// Turns a cluster's state and a policy into a plan. Pure: equal inputs, equal bytes.
package enum Planner {
    /// - Throws: ``PlanRefusal`` naming the first rule that forbids the plan, in this order:
    ///   topology, quorum, target, healthy nodes.
    package static func plan(
        cluster: Cluster, policy: FailoverPolicy, request: PlanRequest,
        estimates: ActionEstimates = ActionEstimates(), digest: ContentDigest
    ) throws(PlanRefusal) -> Plan {
        if request.kind == .rebalance {
            return try rebalance(
                cluster: cluster, policy: policy, request: request, estimates: estimates,
                digest: digest)
        }
        guard cluster.topology == .activePassive, let primary = cluster.primary else {
            throw PlanRefusal(
                rule: .noEligibleTarget,
                evidence: "cluster \(cluster.clusterID) has no single primary to move; "
                    + "an active_active one is rebalanced")
        }
        if policy.needsQuorum { try checkQuorum(cluster, request) }
        let target =
            switch request.kind {
            case .restart: primary.nodeID
            case .adopt: try adopted(cluster, request)
            case .failover, .switchover, .rebalance:
                try target(cluster: cluster, policy: policy, request: request)
            }
        if request.kind == .failover || request.kind == .switchover {
            try checkHealthyNodes(cluster, policy, request)
        }
        let actions = actions(
            kind: request.kind, primary: primary.nodeID, target: target, policy: policy,
            estimates: estimates)
        return Plan(
            clusterID: cluster.clusterID, policyID: policy.policyID, kind: request.kind,
            triggerReason: request.triggerReason, primaryNodeID: primary.nodeID,
            failoverTargetID: target, actions: actions,
            maxFailoverTimeMs: policy.maxFailoverTimeS *| 1000, targetScores: request.scores,
            passedOver: request.targetNodeID == nil
                ? TargetSelection.passedOver(cluster, for: target) : [],
            digest: digest)
    }

    static func checkQuorum(
        _ cluster: Cluster, _ request: PlanRequest
    ) throws(PlanRefusal) {
        var present = 0
        cluster.nodes.withUnsafeBufferPointer { nodes in
            for index in nodes.indices {
                switch nodes[index].status {
                case .healthy, .degraded: present += 1
                case .failed, .unknown: break
                }
            }
        }
        present = request.votersHeard ?? present
        guard present >= cluster.quorumSize else {
            throw PlanRefusal(
                rule: .noQuorum,
                evidence: "\(present) of \(cluster.nodes.count) voters are present, "
                    + "\(cluster.quorumSize) are needed")
        }
    }

    private static func target(
        cluster: Cluster, policy: FailoverPolicy, request: PlanRequest
    ) throws(PlanRefusal) -> NodeID {
        var selection = TargetSelection(policy: policy, scores: request.scores)
        if request.acceptsDataLoss { selection.maximumLagMs = .max }
        selection.excluded = request.excluded
        if let wanted = request.targetNodeID {
            guard let node = cluster.node(wanted) else {
                throw PlanRefusal(
                    rule: .noEligibleTarget,
                    evidence: "the cluster has no node '\(wanted)'")
            }
            if let reason = selection.reasonAgainst(node) {
                throw PlanRefusal(rule: .noEligibleTarget, evidence: "\(wanted) \(reason)")
            }
            return wanted
        }
        guard let best = selection.best(of: cluster) else {
            let reasons = selection.ineligible(in: cluster)
                .map { "\($0.nodeID) \($0.reason)" }.joined(separator: ", ")
            throw PlanRefusal(
                rule: .noEligibleTarget,
                evidence: reasons.isEmpty ? "the primary is the only node" : reasons)
        }
        return best
    }

    /// Whether it runs as primary is what the run looks at; here only that it could be one.
    private static func adopted(
        _ cluster: Cluster, _ request: PlanRequest
    ) throws(PlanRefusal) -> NodeID {
        guard let wanted = request.targetNodeID, let node = cluster.node(wanted), node.holdsData,
            node.role != .primary
        else {
            throw PlanRefusal(
                rule: .noEligibleTarget,
                evidence: "name the node to adopt: one that holds data and is not the primary yet")
        }
        return wanted
    }

    private static func checkHealthyNodes(
        _ cluster: Cluster, _ policy: FailoverPolicy, _ request: PlanRequest
    ) throws(PlanRefusal) {
        var healthy = 0
        cluster.nodes.withUnsafeBufferPointer { nodes in
            for index in nodes.indices where nodes[index].status == .healthy {
                switch nodes[index].role {
                case .secondary: healthy += 1
                // A primary that hands over stays in service; one that is given up does not.
                case .primary: healthy += request.kind == .switchover ? 1 : 0
                case .witness: break
                }
            }
        }
        guard healthy >= policy.minHealthyNodes else {
            throw PlanRefusal(
                rule: .minHealthyNodes,
                evidence: "\(healthy) data nodes would be healthy, "
                    + "min_healthy_nodes is \(policy.minHealthyNodes)")
        }
    }

    private static func actions(
        kind: PlanKind, primary: NodeID, target: NodeID, policy: FailoverPolicy,
        estimates: ActionEstimates
    ) -> [PlannedAction] {
        let steps: [(ActionType, NodeID)] =
            switch kind {
            case .failover, .switchover:
                [
                    (.demote, primary), (.promote, target), (.dnsFlip, target),
                    (.notify, target), (.verify, target),
                ]
            case .rebalance: []
            case .adopt: [(.notify, target), (.verify, target)]
            case .restart:
                [(.restart, primary), (.notify, primary), (.verify, primary)]
            }
        return steps.map { action, node in
            PlannedAction(
                action: action, nodeID: node, estimatedMs: estimates[action],
                hooks: policy.hookNames(at: action))
        }
    }
}

extension FailoverPolicy {
    /// The bindings of a stage in the order in which they are called.
    package func bindings(at stage: Stage, _ timing: HookBinding.Timing) -> [HookBinding] {
        hooks.enumerated()
            .filter { $0.element.stage == stage && $0.element.timing == timing }
            .sorted { ($0.element.order, $0.offset) < ($1.element.order, $1.offset) }
            .map(\.element)
    }

    func hookNames(at action: ActionType) -> [String] {
        guard !hooks.isEmpty, let stage = Stage(rawValue: action.rawValue) else { return [] }
        return (bindings(at: stage, .before) + bindings(at: stage, .after)).map(\.pack)
    }
}
