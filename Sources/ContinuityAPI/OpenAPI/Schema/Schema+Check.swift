package import ContinuityCore

/// A value that is not what its schema says.
package struct SchemaViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// Empty for the value itself, else for example `service.lag_ms` or `clusters[2]`.
    package var field: String
    package var wish: String

    package var description: String { field.isEmpty ? "it \(wish)" : "'\(field)' \(wish)" }
}

extension Schema {
    /// - Throws: ``SchemaViolation``, the first that there is.
    package func check(_ value: JSONTree, at field: String = "") throws(SchemaViolation) {
        func wish(_ wish: String) -> SchemaViolation { SchemaViolation(field: field, wish: wish) }
        switch self {
        case .anything: return
        case .named(_, let schema), .noted(let schema, _): try schema.check(value, at: field)
        case .null:
            guard case .null = value else { throw wish("must be null") }
        case .boolean:
            guard case .bool = value else { throw wish("must be true or false") }
        case .integer(let range):
            guard case .int(let number) = value, range.contains(number) else {
                throw wish(
                    "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .choice(let values):
            guard case .string(let text) = value, values.contains(text) else {
                throw wish("must be one of: \(values.joined(separator: ", "))")
            }
        case .text(let rule):
            guard case .string(let text) = value else { throw wish("must be a text") }
            guard rule.accepts(text) else { throw wish(rule.wish) }
        case .array(let element, let max):
            guard case .array(let elements) = value else { throw wish("must be a list") }
            if let max, elements.count > max { throw wish("has more than \(max) elements") }
            for (index, one) in elements.enumerated() {
                try element.check(one, at: "\(field)[\(index)]")
            }
        case .map(let element, let max):
            guard case .object(let members) = value else { throw wish("must be an object") }
            if let max, members.count > max { throw wish("has more than \(max) members") }
            for (key, one) in members { try element.check(one, at: Self.path(field, key)) }
        case .object(let fields, let isOpen):
            guard case .object(let members) = value else { throw wish("must be an object") }
            try Self.check(members, fields, isOpen: isOpen, at: field)
        case .either(let schemas): try Self.check(value, schemas, at: field)
        }
    }

    private static func check(
        _ value: JSONTree, _ schemas: [Schema], at field: String
    ) throws(SchemaViolation) {
        var first: SchemaViolation?
        for schema in schemas {
            do throws(SchemaViolation) {
                return try schema.check(value, at: field)
            } catch {
                first = first ?? error
            }
        }
        throw first ?? SchemaViolation(field: field, wish: "is not allowed")
    }

    private static func path(_ field: String, _ name: String) -> String {
        field.isEmpty ? name : "\(field).\(name)"
    }

    private static func check(
        _ members: [(key: String, value: JSONTree)], _ fields: [Field], isOpen: Bool,
        at path: String
    ) throws(SchemaViolation) {
        var missing = Set(fields.filter(\.isRequired).map(\.name))
        for (name, value) in members {
            missing.remove(name)
            guard let field = fields.first(where: { $0.name == name }) else {
                if isOpen { continue }
                let known = fields.map(\.name).sorted().joined(separator: ", ")
                throw SchemaViolation(
                    field: Self.path(path, shortened(name)),
                    wish: "is not known; there is: \(known.isEmpty ? "nothing" : known)")
            }
            try field.schema.check(value, at: Self.path(path, name))
        }
        if let name = missing.min() {
            throw SchemaViolation(field: Self.path(path, name), wish: "is missing")
        }
    }

    /// Whether a parameter of this kind is written in digits.
    var isNumber: Bool {
        switch self {
        case .integer: true
        case .named(_, let schema), .noted(let schema, _): schema.isNumber
        default: false
        }
    }

    /// A name that somebody else chose, for a message of ours.
    static func shortened(_ name: String) -> String {
        let shown = String(
            name.unicodeScalars.map { CharacterRule.shown.contains($0) ? Character($0) : "?" }
        )
        return shown.count > 64 ? shown.prefix(64) + "…" : shown
    }
}
