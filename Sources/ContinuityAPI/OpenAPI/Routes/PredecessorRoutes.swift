import ContinuityCore

extension APIOperation {
    var predecessorDescription: OperationDescription {
        switch self {
        case .plan: planDescription
        case .execute: executeDescription
        case .statusOfBody: statusOfBodyDescription
        default: simulateDescription
        }
    }

    private static let described: [Schema.Field] = [
        .required("cluster", PredecessorSchemas.cluster),
        .required("policy", PredecessorSchemas.policy),
    ]
    private static let describedExample: [String: JSONValue] = [
        "cluster": PredecessorSchemas.clusterExample, "policy": PredecessorSchemas.policyExample,
    ]
    /// The rules of files that no schema can say.
    private static func invalid(_ detail: String) -> OperationDescription.Refusal {
        .init(422, "invalid-description", detail)
    }
    private static let twice = invalid(
        "cluster.nodes[1].node_id: the node id 'node-1' stands more than once; give each node an "
            + "id of its own")
    private static let idExample: JSONValue = "5f0c6b1e9a3d47c2"

    private var planDescription: OperationDescription {
        OperationDescription(
            tag: .moves, summary: "Plan from what the body describes",
            note: "Changes nothing, and leaves nothing in the journal.",
            body: .init(
                schema: .object(
                    Self.described + [
                        .optional("kind", .orNull(PlanSchemas.kind), "Else failover."),
                        .optional(
                            "trigger_reason", .orNull(CommonSchemas.reason), "Else 'manual'."),
                    ]), example: .object(Self.describedExample)),
            answers: [
                .init(
                    200, "The plan; send 'plan' to POST /execute.",
                    .object([
                        PredecessorSchemas.requestID, PredecessorSchemas.times("planning"),
                        .required("plan_id", CommonSchemas.planID),
                        .required("cluster_id", CommonSchemas.clusterID),
                        .required("policy_id", CommonSchemas.name),
                        .required("primary_node_id", CommonSchemas.nodeID),
                        .required("failover_target_id", CommonSchemas.nodeID),
                        .required("estimated_total_ms", .count),
                        .required("action_count", .count), .required("plan", PlanSchemas.plan),
                    ]),
                    example: [
                        "request_id": Self.idExample, "timings_ms": ["total": 1, "planning": 0],
                        "plan_id": PlanSchemas.exampleID, "cluster_id": "orders",
                        "policy_id": "orders-manual", "primary_node_id": "node-1",
                        "failover_target_id": "node-2", "estimated_total_ms": 1500,
                        "action_count": 2, "plan": PlanSchemas.example,
                    ])
            ],
            refusals: [
                .init(409, "no-quorum", "no plan: 1 of 3 voters are present"), Self.twice,
            ])
    }

    private var executeDescription: OperationDescription {
        OperationDescription(
            tag: .moves, summary: "Have a plan carried out",
            note: "Only if the server would make the same plan now. Approvals, holds and brakes "
                + "are those of POST /failover and POST /switchover.",
            body: .init(
                schema: .object([
                    .required("plan", PredecessorSchemas.plan),
                    .optional("dry_run", .orNull(.boolean), "As a drill: nothing is moved."),
                    .optional(
                        "wait_s", .orNull(.integer(0...60)),
                        "How long to wait for the end; else as long as the run may take."),
                    .optional("reason", .orNull(CommonSchemas.reason)),
                    .optional(
                        CommonSchemas.claimedPerson.name,
                        .orNull(CommonSchemas.claimedPerson.schema)),
                ]), example: ["plan": PlanSchemas.example, "dry_run": true]),
            answers: [
                .init(
                    200, "It has ended, well or not.", PredecessorSchemas.executed,
                    example: [
                        "request_id": Self.idExample,
                        "timings_ms": ["total": 1310, "execution": 1290],
                        "execution_id": PredecessorSchemas.runExample,
                        "plan_id": PlanSchemas.exampleID, "success": true, "status": "committed",
                        "reason": "", "actions_executed": 5, "actions_failed": 0,
                        "total_duration_ms": 1290, "audit_id": PredecessorSchemas.runExample,
                        "confidence": ["score": 100, "band": "very_high"],
                    ]),
                .init(
                    202, "It goes on, or waits for the consent of others.",
                    PredecessorSchemas.unfinished,
                    example: [
                        "request_id": Self.idExample, "timings_ms": ["total": 3],
                        "plan_id": PlanSchemas.exampleID, "status": "awaiting_approval",
                        "approval_id": ApprovalSchemas.exampleID, "needed": 1,
                        "expires_at_ms": 1_767_225_600_000,
                    ]),
            ],
            refusals: [
                CommonSchemas.noSuchCluster,
                Self.invalid("plan_id 'plan-f45465b2c70b2879' does not follow from the content"),
                .init(
                    409, "plan-changed",
                    "plan-f45465b2c70b2879 is not what would be done: primary_node_id would be "
                        + "'node-2' now, not 'node-1'; plan anew"),
            ])
    }

    private var statusOfBodyDescription: OperationDescription {
        OperationDescription(
            tag: .status, summary: "The state of one cluster",
            note: "Of a cluster that this server runs, what is observed; of another one, what "
                + "follows from the statuses in the body.",
            body: .init(
                schema: .object([.required("cluster", PredecessorSchemas.cluster)]),
                example: ["cluster": PredecessorSchemas.clusterExample]),
            answers: [
                .init(
                    200, "The state, and where it is from.",
                    .object([
                        PredecessorSchemas.requestID, PredecessorSchemas.times(nil),
                        .required("source", .choice(["observed", "described"])),
                        .required("cluster_id", CommonSchemas.clusterID),
                        .required("total_nodes", .count), .required("healthy_nodes", .count),
                        .required("quorum_size", .count), .required("has_quorum", .boolean),
                        .required("primary_node_id", .orNull(CommonSchemas.nodeID)),
                        .optional("state", CommonSchemas.name),
                    ]),
                    example: [
                        "request_id": Self.idExample, "timings_ms": ["total": 0],
                        "source": "observed", "state": "HEALTHY", "cluster_id": "orders",
                        "total_nodes": 3, "healthy_nodes": 3, "quorum_size": 2,
                        "has_quorum": true, "primary_node_id": "node-1",
                    ])
            ], refusals: [Self.twice])
    }

    private var simulateDescription: OperationDescription {
        OperationDescription(
            tag: .drills, summary: "What would happen to a cluster under a policy",
            note: "In simulated time, with the real decision logic. One at a time.",
            body: .init(
                schema: .object(
                    Self.described + [
                        .optional(
                            "scenario", .orNull(CommonSchemas.name), "Else primary_failure."),
                        .optional("seed", .orNull(.count), "Else 42."),
                    ]), example: .object(Self.describedExample.merging(["seed": 42]) { $1 })),
            answers: [
                .init(
                    200, "What happened.", PredecessorSchemas.simulated,
                    example: [
                        "request_id": Self.idExample,
                        "timings_ms": ["total": 410, "simulation": 408],
                        "scenario": "primary_failure", "success": true,
                        "failover": [
                            "execution_id": PredecessorSchemas.runExample, "success": true,
                            "actions_executed": 5, "total_duration_ms": 640,
                        ],
                        "verification": [
                            "report_id": "report-0123456789abcdef", "passed": true,
                            "consistency_ok": true, "policy_ok": true, "quorum_ok": true,
                        ],
                        "report": ["scenario": "primary_failure", "seed": 42],
                    ])
            ],
            refusals: [
                Self.twice, .init(422, "simulation-failed", "it did not end within 10 s"),
                .init(404, "no-simulator", "this server cannot simulate"),
            ])
    }
}
