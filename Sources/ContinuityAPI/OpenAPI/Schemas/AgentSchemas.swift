import ContinuityCore

/// What agents and `serve` tell each other. Open for more: within an upgrade they are of different
/// versions, and a report that is refused would cost a healthy primary its lease.
enum AgentSchemas {
    static let service = Schema.named(
        "ServiceReport",
        .object(
            [
                .required("state", .choice(["running", "stopped", "failing", "unknown"])),
                .required("role", .choice(["primary", "secondary", "unknown"])),
                .optional(
                    "position_bytes", .count,
                    "Where the node's copy ends, in the service's own unit of progress."),
                .optional("lag_ms", .count, "How far the copy is behind, as the service says."),
                .required("streaming", .boolean, "Whether changes come from another node."),
                .required("detail", CommonSchemas.text),
                .optional(
                    "fenced", .boolean,
                    "It was stopped by its own agent or guard at its lease's end."),
                .optional(
                    "synchronous", .boolean,
                    "A primary acknowledges a write only once another node holds it."),
            ], isOpen: true))

    private static let witness = Schema.object(
        [
            .required("seq", .count), .required("hash", CommonSchemas.sha256),
            .optional("alarm", CommonSchemas.text),
        ], isOpen: true)

    static let work = Schema.named(
        "NodeWork",
        .object(
            [
                .required("key", CommonSchemas.text), .required("command", CommonSchemas.text),
                .required("running_ms", .count),
                .required("still_ms", .count, "For how long nothing has moved."),
            ], isOpen: true))

    static let report = Schema.named(
        "NodeReport",
        .object(
            [
                .required("cluster_id", CommonSchemas.clusterID),
                .required("node_id", CommonSchemas.nodeID),
                .required(
                    "boot_id", .text(TextRule(length: 1...128)),
                    "Drawn anew by each agent process."),
                .required("sequence", .count, "Grows with each report of one boot."),
                .required("highest_epoch", .count),
                .optional("instance_id", CommonSchemas.text, "Whom it obeys in that epoch."),
                .required("service", service),
                .required(
                    "peers",
                    .map(
                        .choice(["reachable", "service_only", "service_stopped", "unreachable"]),
                        max: 100),
                    "What this agent sees of the other nodes, by node id."),
                .optional("clock_ms", .count, "Since the start of the machine."),
                .optional("witness", witness, "What it keeps of the journal's checkpoints."),
                .optional("promise_rule", CommonSchemas.text, "By which it asks for promises."),
                .optional("unleased", .boolean, "It acts without a lease, as it was told."),
                .optional("version", CommonSchemas.text, "Of the agent's program."),
                .optional("work", work, "The order under way that is as long as the data is."),
            ], isOpen: true))

    private static let checkpoint = Schema.named(
        "Checkpoint",
        .object([
            .required("seq", .integer(1...Int64.max)), .required("hash", CommonSchemas.sha256),
            .required(
                "key_id", .text(TextRule(length: 16...16, parts: [.characters(.hex, 16...16)]))),
            .required(
                "signature",
                .text(TextRule(length: 128...128, parts: [.characters(.hex, 128...128)])),
                "Ed25519."),
        ]))

    static let reply = Schema.named(
        "ReportReply",
        .object([
            .required("epoch", .count), .required("interval_ms", .count),
            .required("jitter_permille", .integer(0...1000)),
            .optional("instance_id", CommonSchemas.text, "Which process leads in that epoch."),
            .optional("clock_ms", .count, "The orchestrator's clock, of no known beginning."),
            .optional(
                "promise_rule",
                .object([
                    .required("voters", .array(CommonSchemas.nodeID)), .required("needed", .count),
                ]), "Whose promises are needed where no orchestrator answers."),
            .optional("unleased", .boolean, "The role excludes nobody and needs no lease."),
            .optional("promise_limit_ms", .count, "The longest promise that may be given."),
            .optional("lease_ms", .count, "From the moment at which the report was sent."),
            .optional(
                "ends_denials", .boolean,
                "It may promise again what it denied another node before it sent the report."),
            .required(
                "peers",
                .array(
                    .object([
                        .required("node_id", CommonSchemas.nodeID),
                        .required("agent_url", CommonSchemas.text),
                        .required("service_address", CommonSchemas.text),
                        .optional("service_probe", .choice(of: ServiceProbe.self)),
                        .optional("is_primary", .boolean),
                    ]))),
            .optional("checkpoint", checkpoint),
        ]))

    static let links = Schema.named(
        "ChainLinks",
        .object([
            .required(
                "links",
                .array(
                    .object([
                        .required("seq", .integer(1...Int64.max)), .required("epoch", .count),
                        .required("at_ms", CommonSchemas.atMs),
                        .required("actor", CommonSchemas.text),
                        .optional("cluster_id", CommonSchemas.clusterID),
                        .required("kind", CommonSchemas.name),
                        .required("body_sha256", CommonSchemas.sha256),
                    ])))
        ]))

    static let serviceExample: JSONValue = [
        "state": "running", "role": "primary", "position_bytes": 50_331_648, "streaming": false,
        "detail": "",
    ]
    static let reportExample: JSONValue = [
        "cluster_id": "orders", "node_id": "node-1", "boot_id": "4be1f0c2", "sequence": 17,
        "highest_epoch": 3, "service": serviceExample, "peers": ["node-2": "reachable"],
        "clock_ms": 8_640_000,
    ]
    static let replyExample: JSONValue = [
        "epoch": 3, "interval_ms": 1000, "jitter_permille": 100, "lease_ms": 8000,
        "peers": [
            [
                "node_id": "node-2", "agent_url": "https://10.0.0.2:7101",
                "service_address": "10.0.0.2:5432",
            ]
        ],
    ]
    static let digestExample = JSONValue.string(String(repeating: "5f0c6b1e9a3d47c2", count: 4))
    static let linksExample: JSONValue = [
        "links": [
            [
                "seq": 1, "epoch": 1, "at_ms": 1_785_000_000_000, "actor": "continuity",
                "kind": "leadership_started", "body_sha256": digestExample,
            ]
        ]
    ]
}
