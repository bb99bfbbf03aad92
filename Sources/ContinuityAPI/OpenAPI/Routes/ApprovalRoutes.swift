import ContinuityCore

extension APIOperation {
    var approvalDescription: OperationDescription {
        switch self {
        case .breakGlass: breakGlassDescription
        case .reviewClose: reviewCloseDescription
        case .acceptDataLoss:
            answerDescription(
                "Accept what a move would lose",
                "In the approver's own figures, so that nobody accepts more than they have read. "
                    + "It is apart from the approval of the move.",
                more: [
                    .required("lag_ms", .count), .optional("bytes", .count, "Where it is known."),
                ], moreExample: ["lag_ms": 3000, "bytes": 4096],
                [
                    .init(409, "no-data-loss", "approval-0123456789abcdef loses nothing to accept"),
                    .init(
                        409, "data-loss-greater",
                        "the move may lose more than that: accept that or refuse"),
                ])
        case .refuse:
            answerDescription(
                "Refuse what another has asked for", "Whoever asked may take it back with it.",
                reason: .required("reason", CommonSchemas.reason))
        default:
            answerDescription(
                "Approve what another has asked for",
                "With the last approval that is needed the run begins.",
                [.init(409, "already-approved", "ben has approved it already")])
        }
    }

    private func answerDescription(
        _ summary: String, _ note: String,
        reason: Schema.Field = .optional("reason", CommonSchemas.remark),
        more: [Schema.Field] = [], moreExample: [String: JSONValue] = [:],
        _ refusals: [OperationDescription.Refusal] = []
    ) -> OperationDescription {
        let example: [String: JSONValue] = ["cluster_id": "orders", "reason": "seen the graphs"]
        return OperationDescription(
            tag: .approvals, summary: summary, note: note,
            parameters: [
                .path(
                    "approval_id", CommonSchemas.approvalID,
                    "As the request was answered, and in the status.",
                    example: ApprovalSchemas.exampleID)
            ],
            body: .init(
                schema: .object(
                    [.required("cluster_id", CommonSchemas.clusterID)] + more
                        + [reason, CommonSchemas.claimedPerson]),
                example: .object(example.merging(moreExample) { $1 })),
            answers: answers,
            refusals: [
                CommonSchemas.noSuchCluster,
                .init(
                    404, "no-such-approval",
                    "orders has no pending approval 'approval-0123456789abcdef'"),
                .init(409, "same-person", "ana asked for it: somebody else must approve"),
                .init(409, "not-an-approver", "ben is in none of the groups that may approve"),
            ] + refusals)
    }

    /// Where the last consent begins the run, the answer names it.
    private var answers: [OperationDescription.Answer] {
        guard self != .refuse else { return [CommonSchemas.notedAnswer] }
        return [
            CommonSchemas.notedAnswer,
            .init(
                202, "The run has begun.", ApprovalSchemas.accepted,
                example: ApprovalSchemas.acceptedExample),
        ]
    }

    private var breakGlassDescription: OperationDescription {
        OperationDescription(
            tag: .approvals, summary: "Go past the approvals, with a second admin",
            note: "A second admin approves within 300 s. Everybody is alerted, and a review stays "
                + "open until somebody else closes it.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .optional("target_node_id", CommonSchemas.nodeID),
                    .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                ]), example: ["cluster_id": "orders", "reason": "the approvers' phones are down"]),
            answers: [Self.moveAnswer], refusals: Self.moveRefusals)
    }

    private var reviewCloseDescription: OperationDescription {
        OperationDescription(
            tag: .approvals, summary: "Close the review of a broken glass",
            parameters: [
                .path(
                    "review_id", CommonSchemas.reviewID, "As the status has it.",
                    example: "review-run-0123456789abcdef")
            ],
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .required("reason", CommonSchemas.reason, "What the review found."),
                    CommonSchemas.claimedPerson,
                ]), example: ["cluster_id": "orders", "reason": "justified; on-call is extended"]),
            answers: [CommonSchemas.notedAnswer],
            refusals: [
                CommonSchemas.noSuchCluster,
                .init(
                    404, "no-such-review",
                    "orders has no open review 'review-run-0123456789abcdef'"),
                .init(409, "same-person", "ana broke the glass: somebody else must review it"),
            ])
    }
}
