package import ContinuityCore

/// What an operation takes and answers, beside who may ask for it (``APIOperation/rule``).
///
/// It is printed into the OpenAPI document, and the server holds requests to it before they reach
/// their route: what is not described here does not get in.
package struct OperationDescription: Sendable {
    package enum Tag: String, CaseIterable, Sendable {
        case status, moves, approvals, brakes, schedules, drills, audit, access, agents, health

        var note: String {
            switch self {
            case .status: "How the clusters are, and what keeps them where they are."
            case .moves: "Failover and switchover on request."
            case .approvals: "The consent of others, and what goes past it."
            case .brakes: "The fleet-wide brake, pause and maintenance."
            case .schedules: "Moves that are arranged for a time."
            case .drills: "Moves that are played through without moving anything, and hook packs."
            case .audit: "The journal."
            case .access: "Tokens, and who one is."
            case .agents: "What the agents of the nodes ask. Not for people."
            case .health: "For whoever supervises the server."
            }
        }
    }

    package struct Parameter: Sendable {
        package enum Place: String, Sendable { case path, query, header }

        package var name: String
        package var place: Place
        package var schema: Schema
        var isRequired: Bool
        var note: String
        package var example: JSONValue

        static func path(
            _ name: String, _ schema: Schema, _ note: String, example: JSONValue
        ) -> Self {
            Self(
                name: name, place: .path, schema: schema, isRequired: true, note: note,
                example: example)
        }

        static func query(
            _ name: String, _ schema: Schema, _ note: String, example: JSONValue
        ) -> Self {
            Self(
                name: name, place: .query, schema: schema, isRequired: false, note: note,
                example: example)
        }
    }

    package struct Body: Sendable {
        package enum Form: String, Sendable {
            case json = "application/json"
            case urlEncoded = "application/x-www-form-urlencoded"
        }

        var form: Form = .json
        package var schema: Schema
        package var example: JSONValue
        /// Whether a request without a body is one with an empty object.
        var isOptional = false
    }

    package struct Answer: Sendable {
        package var status: Int
        package var note: String
        /// `nil`: the body is text, and `type` says of which kind.
        package var schema: Schema?
        package var example: JSONValue
        var type = "application/json"
        var headers: [HeaderNote] = []
        /// In a stream of server-sent events: the JSON in each one's `data`. OpenAPI 3.1 has no
        /// word for it, so it stands as `x-continuity-event`.
        var event: Schema?

        init(
            _ status: Int = 200, _ note: String, _ schema: Schema, example: JSONValue,
            headers: [HeaderNote] = []
        ) {
            self.status = status
            self.note = note
            self.schema = schema
            self.example = example
            self.headers = headers
        }

        /// An answer that is no JSON.
        init(
            _ status: Int = 200, _ note: String, type: String, example: String, event: Schema? = nil
        ) {
            self.status = status
            self.note = note
            self.type = type
            self.example = .string(example)
            self.event = event
        }
    }

    package struct HeaderNote: Sendable {
        var name: String
        var note: String
        var schema: Schema
        var isRequired = true
    }

    /// An error that the operation may answer with, besides those that follow from its rule.
    package struct Refusal: Sendable {
        package var status: Int
        /// Its `type` without the prefix, as an example.
        package var type: String
        package var detail: String
        var headers: [HeaderNote] = []

        init(_ status: Int, _ type: String, _ detail: String, headers: [HeaderNote] = []) {
            self.status = status
            self.type = type
            self.detail = detail
            self.headers = headers
        }
    }

    package var tag: Tag
    package var summary: String
    /// More than the summary says; may be empty.
    package var note = ""
    package var parameters: [Parameter] = []
    package var body: Body?
    package var answers: [Answer]
    package var refusals: [Refusal] = []
    /// Whether it needs the journal, and so says 503 where that cannot be used.
    var needsJournal = true
}
