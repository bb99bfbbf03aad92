import ContinuityCore

/// Plans, runs and holds.
enum PlanSchemas {
    static let kind = Schema.named("PlanKind", .choice(of: PlanKind.self))

    static let hold = Schema.named(
        "Hold",
        .object([
            .required("rule", .choice(of: HoldRule.self)),
            .required("evidence", CommonSchemas.text, "Why the rule stands, for people."),
            .optional(
                "earliest_at_ms", CommonSchemas.atMs,
                "When it could pass at the earliest. Missing where no clock decides."),
        ]))

    private static let action = Schema.object([
        .required("action", .choice(of: ActionType.self)),
        .required("node_id", CommonSchemas.nodeID),
        .required("estimated_ms", .count),
        .required("hooks", .array(CommonSchemas.name), "Packs, in the order of their calls."),
    ])

    static let plan = Schema.named(
        "Plan",
        .object([
            .required("plan_id", CommonSchemas.planID, "Follows from everything else in it."),
            .required("cluster_id", CommonSchemas.clusterID),
            .required("policy_id", CommonSchemas.name),
            .required("kind", kind),
            .required("trigger_reason", CommonSchemas.text),
            .required("primary_node_id", CommonSchemas.nodeID),
            .required("failover_target_id", CommonSchemas.nodeID),
            .required("actions", .array(action)),
            .required("estimated_total_ms", .count),
            .required("max_failover_time_ms", .count),
            .optional(
                "target_scores",
                .array(
                    .object([
                        .required("pack", CommonSchemas.name),
                        .required("scores", .map(.integer(Int64.min...Int64.max))),
                    ])), "How the policies rate the nodes."),
            .optional(
                "passed_over",
                .array(
                    .object([
                        .required("node_id", CommonSchemas.nodeID),
                        .required("reason", CommonSchemas.text),
                    ])), "Nodes that failed as targets lately, and so come last."),
            .optional(
                "weights",
                .array(
                    .object([
                        .required("node_id", CommonSchemas.nodeID), .required("weight", .count),
                    ])), "With 'rebalance': what each active node shall have."),
            .optional(
                "shed_permille", .integer(0...1000),
                "With 'rebalance': what nobody can bear, in thousandths of the load."),
        ]))

    static let exampleID: JSONValue = "plan-f45465b2c70b2879"
    static let example: JSONValue = [
        "plan_id": exampleID, "cluster_id": "orders", "policy_id": "orders-manual",
        "kind": "failover", "trigger_reason": "requested", "primary_node_id": "node-1",
        "failover_target_id": "node-2", "estimated_total_ms": 1500, "max_failover_time_ms": 60_000,
        "actions": [
            ["action": "demote", "node_id": "node-1", "estimated_ms": 500, "hooks": []],
            ["action": "promote", "node_id": "node-2", "estimated_ms": 1000, "hooks": ["warm-up"]],
        ],
    ]
}
