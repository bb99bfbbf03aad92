package enum PlanKind: String, Codable, Hashable, Sendable, CaseIterable {
    /// The primary is lost or given up: it is fenced.
    case failover
    /// The primary is well: it hands over in an orderly way.
    case switchover
    /// The service is started again where it is.
    case restart
    /// The load of an active/active cluster is divided anew: nobody is promoted.
    case rebalance
    /// A node that already runs as primary is taken for the primary: nothing is started or stopped.
    case adopt
}

package enum ActionType: String, Codable, Hashable, Sendable, CaseIterable {
    case demote, promote
    case dnsFlip = "dns_flip"
    case notify, verify, restart
}

package struct PlannedAction: Codable, Hashable, Sendable {
    package var action: ActionType
    /// The node that the action is about.
    package var nodeID: NodeID
    package var estimatedMs: Int64
    /// The packs that are bound to the action's stage, in the order in which they are called.
    package var hooks: [String]

    package init(action: ActionType, nodeID: NodeID, estimatedMs: Int64, hooks: [String] = []) {
        self.action = action
        self.nodeID = nodeID
        self.estimatedMs = estimatedMs
        self.hooks = hooks
    }

    private enum CodingKeys: String, CodingKey {
        case action
        case nodeID = "node_id"
        case estimatedMs = "estimated_ms"
        case hooks
    }
}

/// How a policy pack rates the nodes as targets; higher is better.
package struct TargetScores: Codable, Hashable, Sendable {
    package var pack: String
    /// By node id. A node that is not named comes after those that are.
    package var scores: [String: Int64]

    package init(pack: String, scores: [String: Int64]) {
        self.pack = pack
        self.scores = scores
    }
}

/// A node that was not chosen because it failed as a target lately.
package struct PassedOver: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    package var reason: String

    package init(nodeID: NodeID, reason: String) {
        self.nodeID = nodeID
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case reason
    }
}

/// What will be done, in which order. Equal inputs give an equal plan, byte for byte.
package struct Plan: Codable, Hashable, Sendable {
    /// Follows from everything else in the plan; see ``computedID(digest:)``.
    package var planID: PlanID
    package var clusterID: ClusterID
    package var policyID: PolicyID
    package var kind: PlanKind
    package var triggerReason: String
    package var primaryNodeID: NodeID
    package var failoverTargetID: NodeID
    package var actions: [PlannedAction]
    package var estimatedTotalMs: Int64
    /// How long a run of this plan may take.
    package var maxFailoverTimeMs: Int64
    /// What the policies said of the candidates, in the order in which it counts; `nil`: nothing.
    package var targetScores: [TargetScores]?
    /// `nil`: nobody.
    package var passedOver: [PassedOver]?
    /// With `rebalance`: what each active node shall have, in the cluster's order.
    package var weights: [NodeWeight]?
    /// With `rebalance`: what nobody can bear, in thousandths of the whole load.
    package var shedPermille: Int64?

    package init(
        clusterID: ClusterID, policyID: PolicyID, kind: PlanKind, triggerReason: String,
        primaryNodeID: NodeID, failoverTargetID: NodeID, actions: [PlannedAction],
        maxFailoverTimeMs: Int64, targetScores: [TargetScores] = [],
        passedOver: [PassedOver] = [], weights: [NodeWeight]? = nil, shedPermille: Int64? = nil,
        digest: ContentDigest
    ) {
        self.planID = ""
        self.clusterID = clusterID
        self.policyID = policyID
        self.kind = kind
        self.triggerReason = triggerReason
        self.primaryNodeID = primaryNodeID
        self.failoverTargetID = failoverTargetID
        self.actions = actions
        self.estimatedTotalMs = actions.reduce(0) { $0 +| $1.estimatedMs }
        self.maxFailoverTimeMs = maxFailoverTimeMs
        self.targetScores = targetScores.isEmpty ? nil : targetScores
        self.passedOver = passedOver.isEmpty ? nil : passedOver
        self.weights = weights
        self.shedPermille = shedPermille
        self.planID = computedID(digest: digest)
    }

    private enum CodingKeys: String, CodingKey {
        case planID = "plan_id"
        case clusterID = "cluster_id"
        case policyID = "policy_id"
        case kind
        case triggerReason = "trigger_reason"
        case primaryNodeID = "primary_node_id"
        case failoverTargetID = "failover_target_id"
        case actions
        case estimatedTotalMs = "estimated_total_ms"
        case maxFailoverTimeMs = "max_failover_time_ms"
        case targetScores = "target_scores"
        case passedOver = "passed_over"
        case weights
        case shedPermille = "shed_permille"
    }
}

extension Plan {
    /// `plan-` and the first 16 hexadecimal digits of the SHA-256 over the canonical form of the
    /// plan without its id.
    package func computedID(digest: ContentDigest) -> PlanID {
        PlanID("plan-" + digest.hex(canonicalBytes(includingID: false)).prefix(16))
    }

    /// The plan as canonical JSON. Written out member by member because planning has a budget of
    /// microseconds; a test holds it equal to the general encoder's output.
    package func canonicalBytes(includingID: Bool = true) -> [UInt8] {
        var writer = CanonicalWriter(capacity: 1024)
        writer.raw(#"{"actions":["#)
        for (index, action) in actions.enumerated() {
            if index > 0 { writer.raw(",") }
            action.write(to: &writer)
        }
        writer.raw(#"],"cluster_id":"#)
        writer.string(clusterID.rawValue)
        writer.raw(#","estimated_total_ms":"#)
        writer.int(estimatedTotalMs)
        writer.raw(#","failover_target_id":"#)
        writer.string(failoverTargetID.rawValue)
        writer.raw(#","kind":"#)
        writer.string(kind.rawValue)
        writer.raw(#","max_failover_time_ms":"#)
        writer.int(maxFailoverTimeMs)
        if let passedOver {
            writer.raw(#","passed_over":["#)
            for (index, node) in passedOver.enumerated() {
                writer.raw(index > 0 ? #",{"node_id":"# : #"{"node_id":"#)
                writer.string(node.nodeID.rawValue)
                writer.raw(#","reason":"#)
                writer.string(node.reason)
                writer.raw("}")
            }
            writer.raw("]")
        }
        if includingID {
            writer.raw(#","plan_id":"#)
            writer.string(planID.rawValue)
        }
        writer.raw(#","policy_id":"#)
        writer.string(policyID.rawValue)
        writer.raw(#","primary_node_id":"#)
        writer.string(primaryNodeID.rawValue)
        if let shedPermille {
            writer.raw(#","shed_permille":"#)
            writer.int(shedPermille)
        }
        if let targetScores {
            writer.raw(#","target_scores":["#)
            for (index, scores) in targetScores.enumerated() {
                if index > 0 { writer.raw(",") }
                scores.write(to: &writer)
            }
            writer.raw("]")
        }
        writer.raw(#","trigger_reason":"#)
        writer.string(triggerReason)
        if let weights {
            writer.raw(#","weights":["#)
            for (index, share) in weights.enumerated() {
                writer.raw(index > 0 ? #",{"node_id":"# : #"{"node_id":"#)
                writer.string(share.nodeID.rawValue)
                writer.raw(#","weight":"#)
                writer.int(share.weight)
                writer.raw("}")
            }
            writer.raw("]")
        }
        writer.raw("}")
        return writer.bytes
    }
}

extension TargetScores {
    fileprivate func write(to writer: inout CanonicalWriter) {
        writer.raw(#"{"pack":"#)
        writer.string(pack)
        writer.raw(#","scores":{"#)
        // As RFC 8785 sorts: by UTF-16 code units.
        let nodes = scores.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
        for (index, (node, score)) in nodes.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.string(node)
            writer.raw(":")
            writer.int(score)
        }
        writer.raw("}}")
    }
}

extension PlannedAction {
    fileprivate func write(to writer: inout CanonicalWriter) {
        writer.raw(#"{"action":"#)
        writer.string(action.rawValue)
        writer.raw(#","estimated_ms":"#)
        writer.int(estimatedMs)
        writer.raw(#","hooks":["#)
        for (index, hook) in hooks.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.string(hook)
        }
        writer.raw(#"],"node_id":"#)
        writer.string(nodeID.rawValue)
        writer.raw("}")
    }
}
