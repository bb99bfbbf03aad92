import ContinuityCore

/// Drills and hook packs.
enum DrillSchemas {
    private static let state = Schema.choice(["passed", "failed", "refused", "cancelled"])

    static let summary = Schema.object([
        .required("drill_id", CommonSchemas.drillID),
        .required("scenario", .choice(of: DrillScenario.self)), .required("state", state),
        .required("predicted_rto_ms", .count), .required("started_at_ms", CommonSchemas.atMs),
    ])

    private static let step = Schema.object([
        .required(
            "what", .choice(["hook", "command", "reading", "alert", "primary_changed"])),
        .required("name", CommonSchemas.text), .optional("node_id", CommonSchemas.nodeID),
        .required("outcome", CommonSchemas.name, "ok, would_do, skipped, or how it failed."),
        .required("detail", CommonSchemas.text), .required("took_ms", .count),
        .required(
            "would_do",
            .array(
                .object(
                    [.required("call", CommonSchemas.name), .required("args", .anything)],
                    isOpen: true)), "What would have been done in earnest."),
    ])

    private static let stage = Schema.object([
        .required("stage", .choice(of: Stage.self)), .required("reached", .boolean),
        .required("took_ms", .count), .required("predicted_ms", .count),
        .required("basis", .choice(["measured", "default", "drill"])),
        .required("steps", .array(step)),
    ])

    static let report = Schema.named(
        "DrillReport",
        .object([
            .required("drill_id", CommonSchemas.drillID),
            .required("cluster_id", CommonSchemas.clusterID),
            .required("policy_id", CommonSchemas.name),
            .required("scenario", .choice(of: DrillScenario.self)),
            .required("plan_id", CommonSchemas.planID),
            .required("from_node_id", CommonSchemas.nodeID),
            .required("to_node_id", CommonSchemas.nodeID),
            .required("requested_by", CommonSchemas.text),
            .required("reason", CommonSchemas.text), .required("state", state),
            .required("detail", CommonSchemas.text, "Why it did not pass."),
            .optional("confidence", .integer(0...100)),
            .optional("held_by", PlanSchemas.hold, "What would have kept it where it is."),
            .optional(
                "caveats", .array(CommonSchemas.text),
                "Where the earnest case would take another way."),
            .required("started_at_ms", CommonSchemas.atMs), .required("duration_ms", .count),
            .required("detection_ms", .count),
            .required("predicted_rto_ms", .count, "How long the service would be away."),
            .required("rto_ms", .count, "What the policy promises."),
            .required("stages", .array(stage)),
        ]))

    static let packChanges = Schema.named(
        "HookPacksChanged",
        .object([
            .required(
                "changes",
                .array(
                    .object([
                        .required("pack", CommonSchemas.name),
                        .optional("from_sha256", CommonSchemas.sha256, "Missing: it is new."),
                        .optional("to_sha256", CommonSchemas.sha256, "Missing: it is gone."),
                    ]))),
            .required(
                "rejected",
                .array(
                    .object([
                        .required("pack", CommonSchemas.name),
                        .required("reason", CommonSchemas.text),
                    ])), "Packs that stay as they were, and why."),
        ]))

    static let exampleID: JSONValue = "drill-0123456789abcdef"
    static let example: JSONValue = [
        "drill_id": exampleID, "cluster_id": "orders", "policy_id": "orders-manual",
        "scenario": "primary_failure", "plan_id": PlanSchemas.exampleID, "from_node_id": "node-1",
        "to_node_id": "node-2", "requested_by": "ana", "reason": "quarterly", "state": "passed",
        "detail": "", "confidence": 95, "started_at_ms": 1_785_000_000_000, "duration_ms": 41,
        "detection_ms": 1000, "predicted_rto_ms": 2500, "rto_ms": 60_000,
        "stages": [
            [
                "stage": "demote", "reached": true, "took_ms": 3, "predicted_ms": 500,
                "basis": "default",
                "steps": [
                    [
                        "what": "command", "name": "fence", "node_id": "node-1",
                        "outcome": "would_do", "detail": "", "took_ms": 0,
                        "would_do": [["call": "agent.fence", "args": ["node_id": "node-1"]]],
                    ]
                ],
            ]
        ],
    ]
}
