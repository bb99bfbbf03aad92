import ContinuityCore
import ContinuityTransport

extension APIOperation {
    var observabilityDescription: OperationDescription {
        switch self {
        case .metrics:
            OperationDescription(
                tag: .health, summary: "Figures for Prometheus",
                note: "Of the clusters that the credential reaches.",
                answers: [
                    .init(
                        200, "Prometheus' text format, version 0.0.4.",
                        type: PrometheusText.contentType, example: "continuity_leader 1\n")
                ])
        case .events:
            OperationDescription(
                tag: .audit, summary: "The journal as server-sent events",
                note:
                    "Each event's id is its entry's number, its data the entry. A stream ends after "
                    + "45 s; its reader goes on with 'Last-Event-ID', as EventSource does by itself.",
                parameters: [
                    .query(
                        "after", .count,
                        "The entries after this one; without it, those that come from now on.",
                        example: 0),
                    .init(
                        name: "Last-Event-ID", place: .header, schema: .count, isRequired: false,
                        note: "The last entry that the reader has; it counts before 'after'.",
                        example: 42),
                ],
                answers: [
                    .init(
                        200, "The stream.", type: "text/event-stream",
                        example: "id: 1\nevent: leadership_started\ndata: {}\n\n",
                        event: AuditSchemas.entry)
                ],
                refusals: [.init(400, "bad-header", "'Last-Event-ID' must be a number")])
        default:
            OperationDescription(
                tag: .health, summary: "What is not well, and whether the server can do its work",
                note: "After draft-inadarei-api-health-check-06.",
                answers: [
                    Self.deepHealth(200, "It can. 'warn': something that it watches is not well."),
                    Self.deepHealth(503, "It cannot: the checks say why."),
                ], needsJournal: false)
        }
    }

    private static func deepHealth(_ status: Int, _ note: String) -> OperationDescription.Answer {
        let level = Schema.choice(["pass", "warn", "fail"])
        let word: JSONValue = status == 200 ? "pass" : "fail"
        var answer = OperationDescription.Answer(
            status, note,
            .object([
                .required("status", level),
                .required("version", CommonSchemas.text, "Of the server's program."),
                .required(
                    "checks",
                    .map(
                        .array(
                            .object([
                                .required("status", level), .optional("output", CommonSchemas.text),
                            ]))), "By component and measurement."),
            ]),
            example: [
                "status": word, "version": "0.9.0",
                "checks": ["journal:writable": [["status": word]]],
            ])
        answer.type = "application/health+json"
        return answer
    }
}
