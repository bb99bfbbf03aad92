import ContinuityCore

extension APIOperation {
    var brakeDescription: OperationDescription {
        switch self {
        case .brakeShow:
            OperationDescription(
                tag: .brakes, summary: "The fleet-wide brake",
                answers: [
                    .init(
                        200, "Whether it holds.", StatusSchemas.brake,
                        example: StatusSchemas.brakeExample)
                ])
        case .brakeClear:
            OperationDescription(
                tag: .brakes, summary: "Release the fleet-wide brake",
                body: .init(
                    schema: .object([
                        .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                    ]), example: ["reason": "the switch is replaced"]),
                answers: [CommonSchemas.notedAnswer],
                refusals: [
                    .init(
                        409, "brake-not-latched", "the brake does not hold: nothing to clear")
                ])
        case .pause: suspensionDescription("Leave a cluster alone for a while", hasNode: false)
        case .maintenanceStart:
            suspensionDescription("Say that a cluster or node is worked on", hasNode: true)
        case .resume:
            endDescription(
                "End a pause", hasNode: false,
                .init(409, "not-paused", "orders is not paused: nothing to resume"))
        default:
            endDescription(
                "End a maintenance", hasNode: true,
                .init(
                    409, "not-in-maintenance", "node-2 is not in maintenance: nothing to end"))
        }
    }

    private func node(_ isThere: Bool) -> [Schema.Field] {
        isThere
            ? [.optional("node_id", CommonSchemas.nodeID, "Without it: the whole cluster.")] : []
    }

    private func notFound(_ hasNode: Bool) -> [OperationDescription.Refusal] {
        [CommonSchemas.noSuchCluster] + (hasNode ? [CommonSchemas.noSuchNode] : [])
    }

    private func suspensionDescription(
        _ summary: String, hasNode: Bool
    ) -> OperationDescription {
        OperationDescription(
            tag: .brakes, summary: summary,
            note: "It ends by itself. Leases are renewed all the while.",
            body: .init(
                schema: .object(
                    [.required("cluster_id", CommonSchemas.clusterID)] + node(hasNode) + [
                        .optional("owner", CommonSchemas.person, "Whom to ask about it."),
                        .required("reason", CommonSchemas.reason),
                        .required("duration_s", .integer(Suspension.durationRangeS)),
                        CommonSchemas.claimedPerson,
                    ]),
                example: [
                    "cluster_id": "orders", "owner": "ana", "reason": "kernel update",
                    "duration_s": 3600,
                ]),
            answers: [CommonSchemas.notedAnswer], refusals: notFound(hasNode))
    }

    private func endDescription(
        _ summary: String, hasNode: Bool, _ refusal: OperationDescription.Refusal
    ) -> OperationDescription {
        OperationDescription(
            tag: .brakes, summary: summary,
            body: .init(
                schema: .object(
                    [.required("cluster_id", CommonSchemas.clusterID)] + node(hasNode) + [
                        .required("reason", CommonSchemas.reason), CommonSchemas.claimedPerson,
                    ]), example: ["cluster_id": "orders", "reason": "done"]),
            answers: [CommonSchemas.notedAnswer], refusals: notFound(hasNode) + [refusal])
    }
}
