package import ContinuityCore
import Foundation
import Yams

/// A plan as a file: canonical JSON, or YAML with the keys in the same order.
package enum PlanFile {
    package enum Format: String, CaseIterable, Sendable {
        case json, yaml

        /// By the ending of the file's name; YAML when it says nothing.
        package init(file: String) {
            self = file.hasSuffix(".json") ? .json : .yaml
        }
    }

    /// The same plan gives the same bytes in every process. Both forms end with a line break.
    package static func text(_ plan: Plan, _ format: Format) -> String {
        switch format {
        case .json: return String(decoding: plan.canonicalBytes(), as: UTF8.self) + "\n"
        case .yaml: return yaml(plan)
        }
    }

    /// - Throws: ``ConfigError`` when the file is no plan, or was changed: its `plan_id` must
    ///   follow from its content.
    package static func load(
        file: String, digest: ContentDigest
    ) throws(ConfigError) -> Plan {
        try read(ConfigReader.load(file: file), digest: digest)
    }

    package static func read(
        _ reader: ConfigReader, digest: ContentDigest
    ) throws(ConfigError) -> Plan {
        try refusePredecessor(reader)
        var actions: [PlannedAction] = []
        for action in try reader.list("actions") {
            actions.append(
                PlannedAction(
                    action: try action.choice("action"),
                    nodeID: NodeID(try action.string("node_id")),
                    estimatedMs: try action.int("estimated_ms", in: 0...Int64.max),
                    hooks: try action.strings("hooks", default: [])))
            try action.finish()
        }
        let shares = try reader.list("weights")
        var weights: [NodeWeight] = []
        for share in shares {
            weights.append(
                NodeWeight(
                    nodeID: NodeID(try share.string("node_id")),
                    weight: try share.int("weight", in: 0...Int64.max)))
            try share.finish()
        }
        let plan = Plan(
            clusterID: ClusterID(try reader.string("cluster_id")),
            policyID: PolicyID(try reader.string("policy_id")),
            kind: try reader.choice("kind"),
            triggerReason: try reader.string("trigger_reason"),
            primaryNodeID: NodeID(try reader.string("primary_node_id")),
            failoverTargetID: NodeID(try reader.string("failover_target_id")),
            actions: actions,
            maxFailoverTimeMs: try reader.int("max_failover_time_ms", in: 1...Int64.max),
            targetScores: try targetScores(reader), weights: weights.isEmpty ? nil : weights,
            shedPermille: try reader.optionalInt("shed_permille", in: 0...1000), digest: digest)
        let total = try reader.int("estimated_total_ms", in: 0...Int64.max)
        let stated = try reader.string("plan_id")
        try reader.finish()
        guard stated == plan.planID.rawValue, total == plan.estimatedTotalMs else {
            throw reader.error(
                "plan_id '\(stated)' does not follow from the content (that gives "
                    + "'\(plan.planID)')",
                remedy: "the plan was changed after it was made; plan anew", at: "plan_id")
        }
        return plan
    }

    /// The predecessor's ids were drawn by chance, so nothing shows that such a plan was not
    /// changed, and its actions were made for a cluster as it was then.
    private static func refusePredecessor(_ reader: ConfigReader) throws(ConfigError) {
        let theirs = Set(["action_id", "action_type", "target_node_id", "params"])
        var sign = reader.keys.contains("created_at") ? "created_at" : nil
        for action in try reader.list("actions") where sign == nil {
            sign = action.keys.first(where: theirs.contains).map { "actions[].\($0)" }
        }
        guard let sign else { return }
        throw reader.error(
            "it is a plan of the predecessor (it has '\(sign)'): nothing ties its plan_id to its "
                + "content",
            remedy: "plan anew from the same cluster and policy, with 'continuity plan' or "
                + "POST /plan")
    }

    private static func targetScores(
        _ reader: ConfigReader
    ) throws(ConfigError) -> [TargetScores] {
        var found: [TargetScores] = []
        for entry in try reader.json("target_scores")?.array ?? [] {
            guard let pack = entry["pack"]?.string, let nodes = entry["scores"]?.object,
                nodes.values.allSatisfy({ $0.int != nil })
            else {
                throw reader.error(
                    "'target_scores' holds something else than packs with their scores",
                    remedy: "the plan was changed after it was made; plan anew",
                    at: "target_scores")
            }
            found.append(TargetScores(pack: pack, scores: nodes.compactMapValues(\.int)))
        }
        return found
    }

    private typealias YAMLNode = Yams.Node

    private static func yaml(_ plan: Plan) -> String {
        func scalar(_ text: String) -> YAMLNode { YAMLNode(text, Tag(.str), .doubleQuoted) }
        func number(_ value: Int64) -> YAMLNode { YAMLNode(String(value), Tag(.int)) }
        let actions = plan.actions.map { action -> YAMLNode in
            let hooks = YAMLNode(action.hooks.map(scalar), .implicit, .flow)
            return YAMLNode([
                (YAMLNode("action"), YAMLNode(action.action.rawValue)),
                (YAMLNode("node_id"), scalar(action.nodeID.rawValue)),
                (YAMLNode("estimated_ms"), number(action.estimatedMs)),
                (YAMLNode("hooks"), hooks),
            ])
        }
        var members: [(YAMLNode, YAMLNode)] = [
            (YAMLNode("plan_id"), scalar(plan.planID.rawValue)),
            (YAMLNode("cluster_id"), scalar(plan.clusterID.rawValue)),
            (YAMLNode("policy_id"), scalar(plan.policyID.rawValue)),
            (YAMLNode("kind"), YAMLNode(plan.kind.rawValue)),
            (YAMLNode("trigger_reason"), scalar(plan.triggerReason)),
            (YAMLNode("primary_node_id"), scalar(plan.primaryNodeID.rawValue)),
            (YAMLNode("failover_target_id"), scalar(plan.failoverTargetID.rawValue)),
            (YAMLNode("actions"), YAMLNode(actions)),
            (YAMLNode("estimated_total_ms"), number(plan.estimatedTotalMs)),
            (YAMLNode("max_failover_time_ms"), number(plan.maxFailoverTimeMs)),
        ]
        if let scores = plan.targetScores {
            let entries = scores.map { entry in
                let nodes = entry.scores.sorted { $0.key < $1.key }
                    .map { (scalar($0.key), number($0.value)) }
                return YAMLNode([
                    (YAMLNode("pack"), scalar(entry.pack)),
                    (YAMLNode("scores"), YAMLNode(nodes, .implicit, .flow)),
                ])
            }
            members.append((YAMLNode("target_scores"), YAMLNode(entries)))
        }
        if let shed = plan.shedPermille {
            members.append((YAMLNode("shed_permille"), number(shed)))
        }
        if let weights = plan.weights {
            let shares = weights.map {
                YAMLNode([
                    (YAMLNode("node_id"), scalar($0.nodeID.rawValue)),
                    (YAMLNode("weight"), number($0.weight)),
                ])
            }
            members.append((YAMLNode("weights"), YAMLNode(shares)))
        }
        do {
            return try Yams.serialize(node: YAMLNode(members), width: -1, allowUnicode: true)
        } catch {
            // The tree is made of scalars, sequences and one mapping: the emitter takes them all.
            preconditionFailure("a plan could not be written as YAML: \(error)")
        }
    }
}
