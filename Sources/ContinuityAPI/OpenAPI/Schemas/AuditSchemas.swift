import ContinuityCore

/// The journal.
enum AuditSchemas {
    static let kind = Schema.text(
        TextRule(
            length: 1...64,
            parts: [.characters(.lowercase + CharacterRule("_"), 1...64)]))

    static let entry = Schema.named(
        "JournalEntry",
        .object([
            .required("seq", .integer(1...Int64.max), "Counted from 1 without gaps."),
            .required("epoch", .count), .required("at_ms", CommonSchemas.atMs),
            .required("actor", CommonSchemas.text, "Who caused it."),
            .required("cluster_id", .orNull(CommonSchemas.clusterID)),
            .required("kind", CommonSchemas.name),
            .required("body", .anything, "By kind; see the documentation of the journal."),
            .required(
                "body_sha256", CommonSchemas.sha256,
                "The body's commitment: of the body in canonical JSON, or of its committed form."),
            .required("prev", CommonSchemas.sha256, "The hash of the entry before."),
            .required("hash", CommonSchemas.sha256),
        ]))

    static let page = Schema.named(
        "JournalPage", .object([.required("entries", .array(entry, max: 1000))]))

    static let example: JSONValue = [
        "seq": 42, "epoch": 3, "at_ms": 1_785_000_000_000, "actor": "ana", "cluster_id": "orders",
        "kind": "pause_ended", "body": ["end": "by_hand", "reason": "done"],
        "body_sha256": AgentSchemas.digestExample, "prev": AgentSchemas.digestExample,
        "hash": AgentSchemas.digestExample,
    ]
}
