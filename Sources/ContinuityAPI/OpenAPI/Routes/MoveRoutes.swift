import ContinuityCore

extension APIOperation {
    /// What a request to move may be answered with.
    static let moveAnswer = OperationDescription.Answer(
        202, "The run has begun, or it waits for the consent of others.",
        .either([ApprovalSchemas.accepted, ApprovalSchemas.pending]),
        example: ApprovalSchemas.acceptedExample)

    static let moveRefusals: [OperationDescription.Refusal] = [
        CommonSchemas.noSuchCluster,
        .init(
            409, "no-eligible-target",
            "node-2: lags 9000 ms, more than rpo_s allows (1000 ms)"),
    ]

    var moveDescription: OperationDescription {
        OperationDescription(
            tag: .moves,
            summary: self == .failover
                ? "Give the primary up, and promote another" : "Hand over in an orderly way",
            note: "A rule that stands against it is the answer's type, as in 'holds' of the "
                + "status.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .optional("target_node_id", CommonSchemas.nodeID, "Else the best is chosen."),
                    .optional("reason", CommonSchemas.reason),
                    .optional(
                        "accepts_data_loss", .boolean,
                        "Whether a target beyond rpo_s may be asked for; the loss is approved "
                            + "apart."),
                    CommonSchemas.claimedPerson,
                ]),
                example: [
                    "cluster_id": "orders", "target_node_id": "node-2", "reason": "disk errors",
                ]),
            answers: [Self.moveAnswer], refusals: Self.moveRefusals)
    }

    var adoptDescription: OperationDescription {
        OperationDescription(
            tag: .moves,
            summary: "Take a node that runs as primary for the primary",
            note: "Nothing is started or stopped. For a journal that is older than the last "
                + "failover, say: while the node that it names does not run as primary, and the one "
                + "that is named here does.",
            body: .init(
                schema: .object([
                    .required("cluster_id", CommonSchemas.clusterID),
                    .required("target_node_id", CommonSchemas.nodeID),
                    .optional("reason", CommonSchemas.remark),
                    CommonSchemas.claimedPerson,
                ]),
                example: [
                    "cluster_id": "orders", "target_node_id": "node-2",
                    "reason": "the journal was restored",
                ]),
            answers: [Self.moveAnswer],
            refusals: [
                CommonSchemas.noSuchCluster,
                .init(
                    409, "no-eligible-target",
                    "name the node to adopt: one that holds data and is not the primary yet"),
            ])
    }
}
