import ContinuityCore

extension APIOperation {
    var drillDescription: OperationDescription {
        switch self {
        case .drillShow: drillShowDescription
        case .hooksReload: hooksReloadDescription
        case .hookDismiss: hookDismissDescription
        default: drillOrderDescription
        }
    }

    private var drillOrderDescription: OperationDescription {
        OperationDescription(
            tag: .drills, summary: "Play a move through without moving anything",
            note: "Effects of hooks are recorded as what they would do.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .optional(
                        "scenario", .choice(of: DrillScenario.self),
                        "What is pretended; primary_failure where it is missing."),
                    .optional("target_node_id", CommonSchemas.nodeID),
                    .optional("reason", CommonSchemas.remark), CommonSchemas.claimedPerson,
                ]),
                example: [
                    "cluster_id": "orders", "scenario": "primary_failure", "reason": "quarterly",
                ]),
            answers: [
                .init(
                    202, "The drill has begun.",
                    .object([
                        .required("drill_id", CommonSchemas.drillID),
                        .required("plan_id", CommonSchemas.planID),
                    ]),
                    example: [
                        "drill_id": DrillSchemas.exampleID, "plan_id": PlanSchemas.exampleID,
                    ])
            ],
            refusals: [
                CommonSchemas.noSuchCluster,
                .init(
                    409, "primary-unwell",
                    "node-1 is unknown; a drill begins with a healthy primary"),
            ])
    }

    private var drillShowDescription: OperationDescription {
        OperationDescription(
            tag: .drills, summary: "What a drill found",
            parameters: [
                .path(
                    "drill_id", CommonSchemas.drillID, "As the drill's request was answered.",
                    example: DrillSchemas.exampleID)
            ],
            answers: [
                .init(
                    200, "Its report.", DrillSchemas.report, example: DrillSchemas.example),
                .init(
                    202, "It is under way.",
                    .object([.required("state", .choice(["running"]))]),
                    example: ["state": "running"]),
            ],
            refusals: [
                .init(
                    404, "no-such-drill",
                    "drill-0123456789abcdef is not the last drill of a cluster; look for "
                        + "drill_finished in the journal")
            ])
    }

    private var hooksReloadDescription: OperationDescription {
        OperationDescription(
            tag: .drills, summary: "Read the folders of packs anew",
            note: "A pack that does not check stays as it was.",
            body: .init(
                schema: .object([CommonSchemas.claimedPerson]), example: ["requested_by": "ana"]),
            answers: [
                .init(
                    200, "What changed.", DrillSchemas.packChanges,
                    example: [
                        "changes": [
                            ["pack": "warm-up", "to_sha256": AgentSchemas.digestExample]
                        ],
                        "rejected": [["pack": "notify", "reason": "main.lua:3: syntax error"]],
                    ])
            ],
            refusals: [.init(409, "run-active", "run-0123456789abcdef is under way")])
    }

    private var hookDismissDescription: OperationDescription {
        OperationDescription(
            tag: .drills, summary: "Give up what a hook left undone",
            note: "It is not called any more, and the cluster is not degraded by it.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .required("pack", CommonSchemas.name),
                    .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                ]),
                example: [
                    "cluster_id": "orders", "pack": "dns-rfc2136", "reason": "changed by hand",
                ]),
            answers: [CommonSchemas.notedAnswer],
            refusals: [
                CommonSchemas.noSuchCluster,
                .init(
                    409, "hook-not-undone",
                    "dns-rfc2136 has left nothing undone in orders: nothing to dismiss"),
            ])
    }
}
