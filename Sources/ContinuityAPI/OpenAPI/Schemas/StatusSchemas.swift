import ContinuityCore

/// `GET /status` and what it is made of.
enum StatusSchemas {
    static let brake = Schema.named(
        "BrakeStatus",
        .object([
            .required("max_failovers", .count),
            .required("window_s", .count),
            .required("failovers", .count, "Automatic failovers within the window."),
            .optional(
                "latch",
                .object([
                    .required("cluster_id", CommonSchemas.clusterID, "Which would have moved."),
                    .required("evidence", CommonSchemas.text),
                    .required("at_ms", CommonSchemas.atMs),
                ]), "Missing while the brake does not hold."),
            .optional(
                "latched_elsewhere", .boolean,
                "It holds, because of a cluster that the credential does not reach."),
        ]))

    static let suspension = Schema.named(
        "Suspension",
        .object([
            .required("owner", CommonSchemas.text), .required("reason", CommonSchemas.text),
            .required("from_ms", CommonSchemas.atMs), .required("until_ms", CommonSchemas.atMs),
            .optional("set_by", CommonSchemas.text, "Who ordered it, where not its owner."),
        ]))

    static let scheduledMove = Schema.named(
        "ScheduledMove",
        .object([
            .required("kind", PlanSchemas.kind),
            .optional("target_node_id", CommonSchemas.nodeID),
            .required("from_node_id", CommonSchemas.nodeID, "The primary when it was arranged."),
            .required("at_ms", CommonSchemas.atMs),
            .required("window_ms", .count, "For how long after that it may still begin."),
            .required("reason", CommonSchemas.text), .required("requested_by", CommonSchemas.text),
            .optional("known_by", .array(CommonSchemas.text)),
        ]))

    static let arranged = Schema.named(
        "Arranged",
        .object([
            .required("seq", .integer(1...Int64.max), "The entry of the journal."),
            .optional("approval_id", CommonSchemas.approvalID, "Others must agree to it."),
            .optional("needed", .count, "How many others."),
            .optional("expires_at_ms", CommonSchemas.atMs, "The end of its window."),
        ]))

    private static let lastScheduled = Schema.named(
        "ScheduleSummary",
        .object([
            .required("move", scheduledMove), .required("end", .choice(of: ScheduleEnd.self)),
            .optional("run_id", CommonSchemas.runID), .optional("rule", CommonSchemas.name),
            .required("reason", CommonSchemas.text),
            .required("ended_at_ms", CommonSchemas.atMs),
        ]))

    private static let node = Schema.named(
        "NodeStatus",
        .object([
            .required("node_id", CommonSchemas.nodeID),
            .required("role", .choice(of: NodeRole.self)),
            .required("status", .choice(of: NodeStatus.self)),
            .required("region", CommonSchemas.text), .required("site", CommonSchemas.text),
            .optional("service", AgentSchemas.service, "Missing before the first report."),
            .optional("heard_ms_ago", .count),
            .optional(
                "heard", .boolean,
                "Whether it reports. Where it does not, 'service' is what it said last."),
            .optional("evidence", CommonSchemas.text, "Why the status is what it is."),
            .optional(
                "upkeep_trouble", CommonSchemas.text,
                "What keeps it from being brought back into service."),
            .optional("work", AgentSchemas.work, "What its agent is at, as long as the data is."),
            .optional("weight", .count, "In an active/active cluster: its share of the load."),
            .optional("maintenance", suspension),
            .optional("agent_version", CommonSchemas.text, "As the agent says itself."),
        ]))

    private static let run = Schema.object([
        .required("run_id", CommonSchemas.runID), .required("plan_id", CommonSchemas.planID),
        .required("kind", PlanSchemas.kind),
        .required("phase", .choice(["requested", "running", "verifying", "rolling_back"])),
        .optional("stage", .choice(of: Stage.self), "The stage that it is in."),
        .optional(
            "troubles", .array(CommonSchemas.text),
            "Hooks and commands that did not end well so far."),
        .required("from_node_id", CommonSchemas.nodeID),
        .required("to_node_id", CommonSchemas.nodeID),
        .required("started_at_ms", CommonSchemas.atMs),
        .required("deadline_at_ms", CommonSchemas.atMs),
    ])

    private static let lastRun = Schema.object([
        .required("run_id", CommonSchemas.runID), .required("plan_id", CommonSchemas.planID),
        .required("kind", PlanSchemas.kind),
        .required("state", .choice(["committed", "rolled_back", "failed", "refused"])),
        .required("reason", CommonSchemas.text),
        .required("from_node_id", CommonSchemas.nodeID),
        .required("to_node_id", CommonSchemas.nodeID),
        .optional("confidence", .integer(0...100)),
        .optional("fence_proof", .choice(["receipt", "lease_expired"])),
        .required("started_at_ms", CommonSchemas.atMs),
        .required("finished_at_ms", CommonSchemas.atMs),
        .optional(
            "deductions", .array(CommonSchemas.text), "Why the confidence is not 100."),
        .optional(
            "troubles", .array(CommonSchemas.text),
            "Hooks and commands that did not end well."),
    ])

    private static let undoneHook = Schema.object([
        .required("pack", CommonSchemas.name), .required("stage", .choice(of: Stage.self)),
        .required("run_id", CommonSchemas.runID), .required("since_ms", CommonSchemas.atMs),
        .required("attempts", .count, "Calls after the run's end."),
        .required("detail", CommonSchemas.text),
        .optional("is_in_doubt", .boolean, "It must not be called twice: a person looks."),
    ])

    private static let cluster = Schema.named(
        "ClusterStatus",
        .object([
            .required("cluster_id", CommonSchemas.clusterID),
            .required("name", CommonSchemas.text), .required("policy_id", CommonSchemas.name),
            .required("state", .choice(["HEALTHY", "DEGRADED", "CRITICAL", "UNKNOWN"])),
            .optional("state_evidence", CommonSchemas.text, "Why it is in this state."),
            .optional(
                "replication_trouble", CommonSchemas.text,
                "Why acknowledged writes may be lost although the policy allows no loss (`rpo_s: 0`), "
                    + "or why that is not known."),
            .required("primary_node_id", CommonSchemas.nodeID),
            .required("term", .count, "Grows with each new primary."),
            .required("nodes", .array(node)),
            .optional("run", run, "Under way."), .optional("last_run", lastRun),
            .optional(
                "drill",
                .object([
                    .required("drill_id", CommonSchemas.drillID),
                    .required("scenario", .choice(of: DrillScenario.self)),
                    .required("started_at_ms", CommonSchemas.atMs),
                ]), "Under way."),
            .optional("last_drill", DrillSchemas.summary),
            .required("holds", .array(PlanSchemas.hold), "What would have moved and did not."),
            .optional("scheduled", scheduledMove),
            .optional("scheduled_hold", PlanSchemas.hold),
            .optional("scheduled_approval", ApprovalSchemas.pending, "In advance, for that move."),
            .optional("last_scheduled", lastScheduled, "What became of the last arranged move."),
            .optional("pause", suspension), .optional("maintenance", suspension),
            .optional("approval", ApprovalSchemas.pending, "Waits for the consent of others."),
            .required("reviews", .array(ApprovalSchemas.review)),
            .optional(
                "undone_hooks", .array(undoneHook),
                "Hooks that did not do their part of a run that has ended."),
        ]))

    private static let audit = Schema.object([
        .optional("signed_seq", .count, "The entry of the newest checkpoint."),
        .required(
            "witnesses",
            .array(
                .object([
                    .optional("cluster_id", CommonSchemas.clusterID),
                    .required("node_id", CommonSchemas.nodeID), .required("seq", .count),
                    .optional("alarm", CommonSchemas.text),
                ]))),
        .optional("suspended", CommonSchemas.text, "Why nothing is decided at the moment."),
    ])

    static let status = Schema.named(
        "Status",
        .object([
            .required("epoch", .count, "Grows with each leadership."),
            .required("seq", .count, "The last entry of the journal."),
            .required("pending_alerts", .count), .required("brake", brake),
            .required("clusters", .array(cluster), "Those that the credential reaches."),
            .optional("audit", audit),
        ]))

    static let scheduleList = Schema.named(
        "Schedules",
        .object([
            .required(
                "schedules",
                .array(
                    .object([
                        .required("cluster_id", CommonSchemas.clusterID),
                        .required("move", scheduledMove), .optional("hold", PlanSchemas.hold),
                        .optional("approval", ApprovalSchemas.pending),
                    ])))
        ]))

    // MARK: Examples

    static let brakeExample: JSONValue = ["max_failovers": 5, "window_s": 600, "failovers": 1]
    static let moveExample: JSONValue = [
        "kind": "switchover", "target_node_id": "node-2", "from_node_id": "node-1",
        "at_ms": 1_798_077_600_000, "window_ms": 600_000, "reason": "kernel update",
        "requested_by": "ana",
    ]
    static let example: JSONValue = [
        "epoch": 3, "seq": 1204, "pending_alerts": 0, "brake": brakeExample,
        "clusters": [
            [
                "cluster_id": "orders", "name": "Orders", "policy_id": "orders-manual",
                "state": "HEALTHY", "primary_node_id": "node-1", "term": 2,
                "nodes": [
                    [
                        "node_id": "node-1", "role": "primary", "status": "healthy",
                        "region": "eu", "site": "fra1", "service": AgentSchemas.serviceExample,
                        "heard_ms_ago": 310,
                    ]
                ],
                "holds": [
                    [
                        "rule": "strategy_manual",
                        "evidence": "the policy moves only when a person asks",
                    ]
                ],
                "scheduled": moveExample, "reviews": [],
            ]
        ],
        "audit": [
            "signed_seq": 1200, "witnesses": [["node_id": "node-1", "seq": 1200]],
        ],
    ]
}
