import ContinuityCore

/// What the predecessor's users send and get: the fields of their files, and those of ours.
///
/// As in files, `null` is the same as a field that is left out, and a whole decimal (`100.0`) is a
/// whole number. What no schema can say (two nodes of one id, say) is refused by the rules of files.
enum PredecessorSchemas {
    private static func field(_ name: String, _ schema: Schema, _ note: String? = nil)
        -> Schema.Field
    {
        .optional(name, .orNull(schema), note)
    }

    private static let metadata = field(
        "metadata", .map(.anything), "Texts and numbers, of no matter to the planner.")
    private static let name = CommonSchemas.name
    private static let section = Schema.map(.anything).noted("As in the policy's file.")

    private static let node = Schema.object([
        .required("node_id", CommonSchemas.nodeID),
        .required("role", .choice(of: NodeRole.self)),
        field("hostname", name), field("region", name), field("site", name),
        field("status", .choice(of: NodeStatus.self)),
        field("priority", .integer(0...1000)), field("capacity", .integer(0...100)),
        field("weight", .integer(0...1000)), field("lag_ms", .count),
        field("agent_url", name), field("service_address", name), metadata,
    ])

    static let cluster = Schema.named(
        "DescribedCluster",
        .object([
            .required("cluster_id", CommonSchemas.clusterID),
            .required("nodes", .array(node)),
            field("name", name), field("topology", .choice(of: Topology.self)),
            field("quorum_size", .integer(1...100_000), "Half the nodes, and one more."),
            field("regions", .array(CommonSchemas.text)),
            field("service_probe", .choice(of: ServiceProbe.self)), metadata,
        ]))

    static let policy = Schema.named(
        "DescribedPolicy",
        .object([
            .required("policy_id", name),
            field("cluster_id", CommonSchemas.clusterID), field("name", name),
            field("strategy", .choice(of: FailoverPolicy.Strategy.self)),
            field("max_failover_time_s", .integer(1...86_400)),
            field("require_quorum", .boolean),
            field("region_priority", .array(CommonSchemas.text)),
            field("site_priority", .array(CommonSchemas.text)),
            field("min_healthy_nodes", .integer(0...100_000)),
            field("cooldown_s", .integer(0...604_800)),
            field("rpo_s", .integer(0...86_400)), field("rto_s", .integer(1...86_400)),
            field("on_service_failure", CommonSchemas.text),
            field("restart_attempts", .integer(0...16)),
            field("rejoin", .choice(of: RejoinPolicy.self)),
            field("detection", section), field("lease", section), field("approvals", section),
            field("flap", section), field("weights", section), field("slo_guard", section),
            field("switchover", section),
            field("freeze_windows", .array(section)), field("hooks", .array(section)), metadata,
        ]))

    /// A plan of the predecessor gets as far as being told what it is.
    static let plan = Schema.either([PlanSchemas.plan, .map(.anything)])
        .noted("As POST /plan answered it; 'cluster' and 'policy' may stand in it.")

    static let clusterExample: JSONValue = [
        "cluster_id": "orders",
        "nodes": [
            ["node_id": "node-1", "role": "primary", "region": "eu", "status": "healthy"],
            ["node_id": "node-2", "role": "secondary", "region": "eu", "status": "healthy"],
            ["node_id": "node-3", "role": "secondary", "region": "eu", "status": "healthy"],
        ],
    ]
    static let policyExample: JSONValue = [
        "policy_id": "orders-policy", "strategy": "manual", "max_failover_time_s": 60,
        "require_quorum": true,
    ]
    static let runExample: JSONValue = "run-0123456789abcdef"

    // MARK: Answers

    static let requestID = Schema.Field.required(
        "request_id", name, "Stands in the server's log as well.")

    static func times(_ part: String?) -> Schema.Field {
        let fields = [Schema.Field.required("total", .count)]
        return .required(
            "timings_ms",
            .object(fields + (part.map { [Schema.Field.required($0, .count)] } ?? [])))
    }

    static let confidence = Schema.orNull(
        .object([
            .required("score", .integer(0...100)),
            .required("band", .choice(["very_high", "high", "medium", "low"])),
        ])
    ).noted("null: it was not verified.")

    private static let checks: [Schema.Field] = [
        .required("passed", .boolean), .required("consistency_ok", .boolean),
        .required("policy_ok", .boolean), .required("quorum_ok", .boolean),
    ]

    private static let deductions = Schema.array(
        .object([
            .required("check", .choice(of: Verification.Check.self)),
            .required("points", .count), .required("evidence", CommonSchemas.text),
        ])
    ).noted("What was found, and what it takes off the confidence.")

    static let audit = Schema.named(
        "RunAudit",
        .object([
            requestID, times(nil), .required("audit_id", CommonSchemas.runID),
            .required("timestamp", CommonSchemas.time),
            .required(
                "execution",
                .object(
                    execution + [
                        .required("execution_id", CommonSchemas.runID),
                        .required("total_duration_ms", .orNull(.count)),
                        .required("cluster_id", CommonSchemas.clusterID),
                        .required("kind", PlanSchemas.kind), .required("trigger", name),
                        .required("requested_by", CommonSchemas.text),
                        .required("primary_node_id", CommonSchemas.nodeID),
                        .required("failover_target_id", CommonSchemas.nodeID),
                    ])),
            .required(
                "verification", .orNull(.object(checks + [.required("deductions", deductions)])),
                "null: it did not come so far."),
            .required("confidence", confidence),
        ]))

    static let execution: [Schema.Field] = [
        .required("plan_id", CommonSchemas.planID), .required("success", .boolean),
        .required("status", name), .required("reason", CommonSchemas.text),
        .required("actions_executed", .count), .required("actions_failed", .count),
    ]

    static let executed = Schema.named(
        "Executed",
        .object(
            execution + [
                requestID, times("execution"),
                .required("execution_id", .either([CommonSchemas.runID, CommonSchemas.drillID])),
                .required("total_duration_ms", .count),
                .required("audit_id", .orNull(CommonSchemas.runID), "null: it was a drill."),
                .required("confidence", confidence),
                .optional("dry_run", .boolean), .optional("drill", DrillSchemas.report),
            ]))

    /// Nothing is said of what has not come yet.
    static let unfinished = Schema.named(
        "Unfinished",
        .object([
            requestID, times(nil), .required("plan_id", CommonSchemas.planID),
            .required("status", .choice(["awaiting_approval", "running"])),
            .optional("execution_id", .either([CommonSchemas.runID, CommonSchemas.drillID])),
            .optional("audit_id", CommonSchemas.runID), .optional("dry_run", .boolean),
            .optional("approval_id", CommonSchemas.approvalID), .optional("needed", .count),
            .optional("expires_at_ms", CommonSchemas.atMs),
        ]))

    static let simulated = Schema.named(
        "Simulated",
        .object([
            requestID, times("simulation"), .required("scenario", name),
            .required("success", .boolean),
            .required(
                "failover",
                .object([
                    .required("execution_id", .orNull(CommonSchemas.runID), "null: none began."),
                    .required("success", .boolean), .required("actions_executed", .count),
                    .required("total_duration_ms", .count),
                ])),
            .required("verification", .object([.required("report_id", name)] + checks)),
            .required("report", .map(.anything), "The same for the same body."),
        ]))
}
