import ContinuityCore

/// Moves that wait for others, and what is left to look at.
enum ApprovalSchemas {
    private static let principal = Schema.named(
        "Principal",
        .object([
            .required("actor", CommonSchemas.text), .required("person", CommonSchemas.text),
            .optional(
                "known_by", .array(CommonSchemas.text),
                "Who else could be behind it, knowing the token's secret."),
            .required("groups", .array(CommonSchemas.text)), .required("is_admin", .boolean),
            .optional("address", CommonSchemas.text),
        ]))

    private static let consent = Schema.object([
        .required("by", principal), .required("reason", CommonSchemas.text),
        .required("at_ms", CommonSchemas.atMs),
    ])

    private static let loss = Schema.object([
        .required("lag_ms", .count), .optional("bytes", .count, "Missing: nobody knows."),
    ])

    static let pending = Schema.named(
        "PendingApproval",
        .object([
            .required("approval_id", CommonSchemas.approvalID),
            .required("kind", .choice(["move", "break_glass", "arranged"])),
            .required(
                "plan", PlanSchemas.plan,
                "What is approved: this plan and no other. With 'arranged' every plan of its kind, "
                    + "from its primary, to 'target_node_id' or to the best node."),
            .optional(
                "trigger", CommonSchemas.text, "What asked for it: a person, or an arranged time."),
            .required("requested_by", principal), .required("reason", CommonSchemas.text),
            .optional("target_node_id", CommonSchemas.nodeID),
            .required("needed", .count, "How many others must approve."),
            .required("groups", .array(CommonSchemas.text), "Of whose members; empty: any."),
            .required("expires_at_ms", CommonSchemas.atMs),
            .optional("data_loss", loss, "What the plan may lose, beyond rpo_s."),
            .required("consents", .array(consent)),
            .optional("data_loss_consent", consent),
        ]))

    static let review = Schema.named(
        "OpenReview",
        .object([
            .required("review_id", CommonSchemas.reviewID),
            .required("run_id", CommonSchemas.runID), .required("people", .array(principal)),
            .required("reason", CommonSchemas.text),
            .required("opened_at_ms", CommonSchemas.atMs),
        ]))

    /// What a request to move is answered with.
    static let accepted = Schema.named(
        "Accepted",
        .object([
            .required("run_id", CommonSchemas.runID), .required("plan_id", CommonSchemas.planID),
        ]))

    static let acceptedExample: JSONValue = [
        "run_id": "run-0123456789abcdef", "plan_id": PlanSchemas.exampleID,
    ]
    static let exampleID: JSONValue = "approval-0123456789abcdef"
    static let example: JSONValue = [
        "approval_id": exampleID, "kind": "move", "plan": PlanSchemas.example,
        "requested_by": [
            "actor": "ana", "person": "ana", "groups": [], "is_admin": false,
            "address": "192.0.2.7",
        ],
        "reason": "disk errors", "needed": 1, "groups": ["sre"],
        "expires_at_ms": 1_785_000_600_000, "data_loss": ["lag_ms": 3000, "bytes": 4096],
        "consents": [],
    ]
}
