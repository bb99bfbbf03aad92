import ContinuityCore

extension APIOperation {
    var auditDescription: OperationDescription {
        guard self == .auditShow else { return auditListDescription }
        return OperationDescription(
            tag: .audit, summary: "One entry of the journal",
            parameters: [
                .path("seq", .integer(1...Int64.max), "The entry's number.", example: 1)
            ],
            answers: [.init(200, "The entry.", AuditSchemas.entry, example: AuditSchemas.example)],
            refusals: [.init(404, "no-such-entry", "the journal has no entry 99")])
    }

    private var auditListDescription: OperationDescription {
        OperationDescription(
            tag: .audit, summary: "Entries of the journal, in order, or one run",
            note: "Entries of clusters that the credential does not reach are left out.",
            parameters: [
                .query(
                    "audit_id", CommonSchemas.runID,
                    "One run instead of entries: what it did, and how far it is to be trusted.",
                    example: PredecessorSchemas.runExample),
                .query(
                    "after", .count, "The entries after this one. 0: from the first.", example: 0),
                .query(
                    "limit", .integer(1...Int64(APIServer.maxEntries)),
                    "At most so many; 100 where it is missing.", example: 100),
                .query(
                    "kind", AuditSchemas.kind, "Only entries of this kind.",
                    example: "run_finished"),
                .query(
                    "newest", .choice(["true", "false"]),
                    "true: the last entries that fit, instead of the first. Still in order.",
                    example: "true"),
                .query(
                    "wait_ms", .integer(0...APIServer.maxWaitMs),
                    "Where there is none yet, wait so long for one.", example: 0),
            ],
            answers: [
                .init(
                    200, "A page of entries, or with 'audit_id' the run.",
                    .either([AuditSchemas.page, PredecessorSchemas.audit]),
                    example: ["entries": [AuditSchemas.example]])
            ],
            refusals: [
                .init(404, "no-such-run", "the journal has no run 'run-0123456789abcdef'")
            ])
    }
}
