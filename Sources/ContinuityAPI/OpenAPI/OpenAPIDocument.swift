package import ContinuityCore

/// The OpenAPI 3.1 document: made of ``APIOperation`` and the descriptions beside it, and of
/// nothing else. The same build gives the same bytes.
package enum OpenAPIDocument {
    /// Of the interface, not of the program: the first part grows when something is taken away.
    static let version = "1.0.0"

    package static let bytes = CanonicalJSON.bytes(json)

    package static var json: JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for operation in APIOperation.allCases {
            let rule = operation.rule
            paths[rule.path, default: [:]][rule.method.lowercased()] = self.operation(operation)
        }
        return [
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": [
                "title": "continuity",
                "version": .string(version),
                "summary": "A failover orchestrator that can show afterwards what it did and why.",
                "description": .string(introduction),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/", "description": "The server that gave this document."]],
            "tags": .array(
                OperationDescription.Tag.allCases.map {
                    ["name": .string($0.rawValue), "description": .string($0.note)]
                }),
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "schemas": .object(schemas), "securitySchemes": securitySchemes,
            ],
        ]
    }

    private static let introduction = """
        Every error is a problem after RFC 9457, and its `type` is stable. A request is held to \
        this document: a field or a parameter that is not described is refused with 400, and the \
        `detail` names it. What changes something carries the time and a nonce, and is never \
        carried out twice. Answers may gain fields; a client ignores those that it does not know.
        """

    private static let securitySchemes: JSONValue = [
        "token": [
            "type": "http", "scheme": "bearer",
            "description": "A token of 'continuity token create'.",
        ],
        "certificate": [
            "type": "mutualTLS",
            "description":
                "A client certificate whose URI names a person or an agent ('continuity pki').",
        ],
    ]

    private static var schemas: [String: JSONValue] {
        var sent: [String: Schema] = [:]
        var received: [String: Schema] = ["Problem": CommonSchemas.problemBody]
        for operation in APIOperation.allCases {
            let description = operation.description
            description.body?.schema.collectNamed(into: &sent)
            for parameter in description.parameters {
                parameter.schema.collectNamed(into: &sent)
            }
            for answer in description.answers {
                answer.schema?.collectNamed(into: &received)
                answer.event?.collectNamed(into: &received)
            }
        }
        return sent.mapValues { $0.json(isRequest: true) }
            .merging(received.mapValues { $0.json(isRequest: false) }) { $1 }
    }

    // MARK: One operation

    private static func operation(_ operation: APIOperation) -> JSONValue {
        let rule = operation.rule
        let description = operation.description
        var members: [String: JSONValue] = [
            "operationId": .string(operation.rawValue),
            "summary": .string(description.summary),
            "description": .string(note(rule, description)),
            "tags": [.string(description.tag.rawValue)],
            "responses": responses(operation),
            "security": rule.need.security,
            "x-continuity-need": .string(rule.need.name),
            "x-continuity-commands": .array(rule.commands.map { .string("continuity \($0)") }),
        ]
        let parameters = operation.parameters
        if !parameters.isEmpty { members["parameters"] = .array(parameters.map(\.json)) }
        if let body = description.body { members["requestBody"] = body.json }
        return .object(members)
    }

    private static func note(
        _ rule: APIOperation.Rule, _ description: OperationDescription
    ) -> String {
        var notes = description.note.isEmpty ? [] : [description.note]
        switch rule.need {
        case .anyone: notes.append("Answers anyone.")
        case .agent: notes.append("Answers the agent of the node alone.")
        case .role(let role): notes.append("Needs the role \(role.rawValue).")
        }
        if rule.isFleetWide { notes.append("Not for credentials that are bound to clusters.") }
        return notes.joined(separator: " ")
    }

    private static func responses(_ operation: APIOperation) -> JSONValue {
        var responses: [String: JSONValue] = [:]
        for answer in operation.description.answers { responses["\(answer.status)"] = answer.json }
        for (status, refusals) in Dictionary(grouping: operation.refusals, by: \.status) {
            responses["\(status)"] = OperationDescription.Refusal.json(refusals)
        }
        return .object(responses)
    }
}

extension APIOperation.Need {
    fileprivate var name: String {
        switch self {
        case .anyone: "anyone"
        case .agent: "agent"
        case .role(let role): role.rawValue
        }
    }

    fileprivate var security: JSONValue {
        switch self {
        case .anyone: []
        case .agent, .role: [["token": []], ["certificate": []]]
        }
    }
}

extension OperationDescription.Parameter {
    fileprivate var json: JSONValue {
        [
            "name": .string(name), "in": .string(place.rawValue), "required": .bool(isRequired),
            "description": .string(note), "schema": schema.json(isRequest: true),
            "example": example,
        ]
    }
}

extension OperationDescription.Body {
    fileprivate var json: JSONValue {
        [
            "required": .bool(!isOptional),
            "content": .object([
                form.rawValue: ["schema": schema.json(isRequest: true), "example": example]
            ]),
        ]
    }
}

extension OperationDescription.Answer {
    fileprivate var json: JSONValue {
        let schema = schema?.json(isRequest: false) ?? ["type": "string"]
        var content: [String: JSONValue] = ["schema": schema, "example": example]
        if let event {
            content["x-continuity-event"] = [
                "type": "object", "required": ["id", "event", "data"],
                "properties": [
                    "id": ["type": "string", "pattern": "^[0-9]+$"], "event": ["type": "string"],
                    "data": [
                        "type": "string", "contentMediaType": "application/json",
                        "contentSchema": event.json(isRequest: false),
                    ],
                ],
            ]
        }
        var members: [String: JSONValue] = [
            "description": .string(note), "content": .object([type: .object(content)]),
        ]
        if !headers.isEmpty { members["headers"] = OperationDescription.HeaderNote.json(headers) }
        return .object(members)
    }
}

extension OperationDescription.HeaderNote {
    fileprivate static func json(_ headers: [Self]) -> JSONValue {
        .object(
            Dictionary(
                headers.map { header in
                    (
                        header.name,
                        [
                            "description": .string(header.note),
                            "required": .bool(header.isRequired),
                            "schema": header.schema.json(isRequest: false),
                        ]
                    )
                }, uniquingKeysWith: { $1 }))
    }
}

extension OperationDescription.Refusal {
    /// As ``Problem`` answers it.
    package var body: JSONValue {
        [
            "type": .string("urn:continuity:problem:\(type)"),
            "title": .string(Self.title(status)), "status": .int(Int64(status)),
            "detail": .string(detail),
        ]
    }

    fileprivate static func json(_ refusals: [Self]) -> JSONValue {
        // Of equal types the operation's own example is the better one, and comes first.
        let examples = Dictionary(
            refusals.map { ($0.type, ["value": $0.body] as JSONValue) },
            uniquingKeysWith: { first, _ in first })
        var members: [String: JSONValue] = [
            "description": .string(
                "\(title(refusals[0].status)): "
                    + examples.keys.sorted().joined(separator: ", ") + "."),
            "content": [
                "application/problem+json": [
                    "schema": ["$ref": "#/components/schemas/Problem"],
                    "examples": .object(examples),
                ]
            ],
        ]
        let headers = refusals.flatMap(\.headers)
        if !headers.isEmpty { members["headers"] = OperationDescription.HeaderNote.json(headers) }
        return .object(members)
    }
}
