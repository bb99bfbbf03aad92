import ContinuityCore

/// What a value may be: the part of JSON Schema 2020-12 that the interface needs.
///
/// One declaration, three uses: it is printed into the OpenAPI document, requests are checked
/// against it before anything looks at them, and tests check the documented examples with it.
package indirect enum Schema: Sendable {
    case text(TextRule)
    case choice([String])
    case integer(ClosedRange<Int64>)
    case boolean
    case null
    case array(Schema, max: Int? = nil)
    /// - Parameter isOpen: Whether a sender of another version may say more, which is ignored.
    case object([Field], isOpen: Bool = false)
    /// An object whose keys are data.
    case map(Schema, max: Int? = nil)
    case either([Schema])
    /// Any JSON value.
    case anything
    /// Printed once, under this name, and referred to.
    case named(String, Schema)
    case noted(Schema, String)

    /// A member of an object.
    package struct Field: Sendable {
        package var name: String
        package var schema: Schema
        package var isRequired: Bool

        package init(name: String, schema: Schema, isRequired: Bool) {
            self.name = name
            self.schema = schema
            self.isRequired = isRequired
        }
    }

    /// Numbers that never fall below zero: times, counters, positions. Bounded, so that arithmetic
    /// on what comes from outside stays within 64 bits.
    static let count = Schema.integer(0...WireBounds.integerMax)

    static func choice<Value: CaseIterable & RawRepresentable>(
        of type: Value.Type
    ) -> Schema where Value.RawValue == String {
        .choice(type.allCases.map(\.rawValue))
    }

    func noted(_ note: String) -> Schema { .noted(self, note) }

    static func orNull(_ schema: Schema) -> Schema { .either([schema, .null]) }
}

extension Schema.Field {
    static func required(_ name: String, _ schema: Schema, _ note: String? = nil) -> Self {
        Self(name: name, schema: note.map(schema.noted) ?? schema, isRequired: true)
    }

    static func optional(_ name: String, _ schema: Schema, _ note: String? = nil) -> Self {
        Self(name: name, schema: note.map(schema.noted) ?? schema, isRequired: false)
    }
}

// MARK: As JSON Schema

extension Schema {
    /// - Parameter isRequest: What a client sends: objects are closed, as the server holds them.
    ///   Answers stay open in the document, so that a later version may say more.
    func json(isRequest: Bool) -> JSONValue {
        switch self {
        case .text(let rule): rule.json
        case .choice(let values):
            ["type": "string", "enum": .array(values.map { .string($0) })]
        case .integer(let range):
            [
                "type": "integer", "format": "int64", "minimum": .int(range.lowerBound),
                "maximum": .int(range.upperBound),
            ]
        case .boolean: ["type": "boolean"]
        case .null: ["type": "null"]
        case .array(let element, let max):
            Self.members(
                ["type": "array", "items": element.json(isRequest: isRequest)],
                ["maxItems": max.map { .int(Int64($0)) }])
        case .object(let fields, let isOpen):
            Self.object(fields, isOpen: isOpen, isRequest: isRequest)
        case .map(let value, let max):
            Self.members(
                ["type": "object", "additionalProperties": value.json(isRequest: isRequest)],
                ["maxProperties": max.map { .int(Int64($0)) }])
        case .either(let schemas): ["anyOf": .array(schemas.map { $0.json(isRequest: isRequest) })]
        case .anything: [:]
        case .named(let name, _): ["$ref": .string("#/components/schemas/\(name)")]
        case .noted(let schema, let note):
            Self.members(
                schema.json(isRequest: isRequest).object ?? [:], ["description": .string(note)])
        }
    }

    private static func object(_ fields: [Field], isOpen: Bool, isRequest: Bool) -> JSONValue {
        let properties = fields.map { ($0.name, $0.schema.json(isRequest: isRequest)) }
        let required = fields.filter(\.isRequired).map { JSONValue.string($0.name) }
        return members(
            [
                "type": "object",
                "properties": .object(Dictionary(properties, uniquingKeysWith: { $1 })),
            ],
            [
                "required": required.isEmpty ? nil : .array(required),
                "additionalProperties": isOpen ? true : isRequest ? false : nil,
            ])
    }

    private static func members(
        _ some: [String: JSONValue], _ more: [String: JSONValue?]
    ) -> JSONValue {
        .object(some.merging(more.compactMapValues { $0 }) { $1 })
    }

    /// Every schema with a name that this one is made of, itself too.
    func collectNamed(into found: inout [String: Schema]) {
        switch self {
        case .named(let name, let schema):
            found[name] = schema
            schema.collectNamed(into: &found)
        case .noted(let schema, _), .array(let schema, _), .map(let schema, _):
            schema.collectNamed(into: &found)
        case .object(let fields, _):
            for field in fields { field.schema.collectNamed(into: &found) }
        case .either(let schemas):
            for schema in schemas { schema.collectNamed(into: &found) }
        case .text, .choice, .integer, .boolean, .null, .anything: break
        }
    }
}
