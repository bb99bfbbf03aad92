import ContinuityCore

extension APIOperation {
    var scheduleDescription: OperationDescription {
        switch self {
        case .scheduleList:
            OperationDescription(
                tag: .schedules, summary: "Every arranged move",
                answers: [
                    .init(
                        200, "The moves.", StatusSchemas.scheduleList,
                        example: [
                            "schedules": [
                                ["cluster_id": "orders", "move": StatusSchemas.moveExample]
                            ]
                        ])
                ])
        case .scheduleCancel:
            OperationDescription(
                tag: .schedules, summary: "Cancel the arranged move of a cluster",
                body: .init(
                    schema: .object([
                        .required("cluster_id", CommonSchemas.clusterID),
                        .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                    ]), example: ["cluster_id": "orders", "reason": "not needed any more"]),
                answers: [CommonSchemas.notedAnswer],
                refusals: [
                    CommonSchemas.noSuchCluster,
                    .init(409, "not-scheduled", "orders has no arranged move: nothing to cancel"),
                ])
        default: arrangeDescription
        }
    }

    private var arrangeDescription: OperationDescription {
        OperationDescription(
            tag: .schedules, summary: "Arrange a move for a time",
            note: "When it is due, it is held to the same rules as a move that is asked for then. "
                + "Where the policy asks for approvals, they are asked for at once, and it begins "
                + "only when they are given within its window.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .required("kind", .choice(["failover", "switchover"])),
                    .required("at", CommonSchemas.time, "After RFC 3339, at most 90 days ahead."),
                    .optional(
                        "window_s", .integer(ScheduledMove.windowRangeS),
                        "For how long after that it may still begin."),
                    .optional("target_node_id", CommonSchemas.nodeID),
                    .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                ]),
                example: [
                    "cluster_id": "orders", "kind": "switchover", "at": "2026-12-24T02:00:00Z",
                    "window_s": 600, "reason": "kernel update",
                ]),
            answers: [
                .init(
                    200, "It is arranged.", StatusSchemas.arranged,
                    example: [
                        "seq": 42, "approval_id": ApprovalSchemas.exampleID, "needed": 1,
                        "expires_at_ms": 1_798_078_200_000,
                    ])
            ],
            refusals: [
                CommonSchemas.noSuchCluster, CommonSchemas.noSuchNode,
                .init(409, "already-scheduled", "orders has an arranged move"),
                .init(422, "bad-time", "give a time from now to 90 days ahead"),
                .init(422, "bad-target", "node-1 is the primary already, or holds no data"),
                .init(
                    422, "bad-kind",
                    "a failover or a switchover of an active_passive cluster is arranged"),
            ])
    }
}
