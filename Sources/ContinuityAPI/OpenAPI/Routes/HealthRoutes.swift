import ContinuityCore

extension APIOperation {
    var healthDescription: OperationDescription {
        switch self {
        case .ready:
            OperationDescription(
                tag: .health, summary: "Whether the server leads and can take entries",
                answers: [
                    .init(
                        200, "It is ready.", .object([.required("status", .choice(["ready"]))]),
                        example: ["status": "ready"])
                ],
                refusals: [.init(503, "not-ready", "the server does not lead yet")],
                needsJournal: false)
        case .openAPI:
            OperationDescription(
                tag: .health, summary: "This document",
                note: "The same bytes as 'continuity openapi' prints.",
                answers: [
                    .init(
                        200, "The document.",
                        .object(
                            [
                                .required("openapi", .choice(["3.1.0"])),
                                .required("paths", .map(.anything)),
                            ], isOpen: true),
                        example: ["openapi": "3.1.0", "paths": [:]])
                ], needsJournal: false)
        default:
            OperationDescription(
                tag: .health, summary: "Whether the process answers",
                answers: [
                    .init(
                        200, "It does.", .object([.required("status", .choice(["live"]))]),
                        example: ["status": "live"])
                ], needsJournal: false)
        }
    }
}
