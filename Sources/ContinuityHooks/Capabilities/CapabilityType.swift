package import ContinuityCore

/// The type of an argument or result, as the broker checks it and as editors show it.
package indirect enum CapabilityType: Hashable, Sendable {
    case string, integer, boolean
    /// A handle from `ctx.secret`.
    case secret
    /// A text, a secret, or a list of both that the broker joins.
    case text
    /// Anything that JSON can hold; secrets may stand in it.
    case any
    case list(CapabilityType)
    /// A table with text keys.
    case map(CapabilityType)
    case oneOf([String])
    /// A table with these fields and no others.
    case record(String, [CapabilityField])

    /// LuaCATS notation.
    var lua: String {
        switch self {
        case .string: "string"
        case .integer: "integer"
        case .boolean: "boolean"
        case .secret: "continuity.Secret"
        case .text: "continuity.Text"
        case .any: "any"
        case .list(let element): element.lua + "[]"
        case .map(let value): "table<string, \(value.lua)>"
        case .oneOf(let names): names.map { "\"\($0)\"" }.joined(separator: "|")
        case .record(let name, _): "continuity.\(name)"
        }
    }

    /// Why `value` is not of this type; `nil` when it is. `name` is what the message calls it.
    func problem(_ value: JSONValue, _ name: String) -> String? {
        switch self {
        case .string: return value.string == nil ? "'\(name)' must be a text" : nil
        case .integer: return value.int == nil ? "'\(name)' must be a whole number" : nil
        case .boolean: return value.bool == nil ? "'\(name)' must be true or false" : nil
        case .secret: return SecretReference(value) == nil ? "'\(name)' must be a secret" : nil
        case .text:
            let parts = value.array ?? [value]
            let isText = parts.allSatisfy { $0.string != nil || SecretReference($0) != nil }
            return isText ? nil : "'\(name)' must be a text, a secret, or a list of both"
        case .any: return nil
        case .list(let element):
            // An empty Lua table is an empty list too.
            if value.object?.isEmpty == true { return nil }
            guard let elements = value.array else { return "'\(name)' must be a list" }
            return elements.lazy.compactMap { element.problem($0, name + "[]") }.first
        case .map(let inner):
            guard let members = value.object else {
                return "'\(name)' must be a table with text keys"
            }
            return members.sorted { $0.key < $1.key }.lazy
                .compactMap { inner.problem($0.value, "\(name).\($0.key)") }.first
        case .oneOf(let names):
            guard let text = value.string, names.contains(text) else {
                return "'\(name)' must be " + names.dropLast().joined(separator: ", ")
                    + (names.count > 1 ? " or " : "") + (names.last ?? "")
            }
            return nil
        case .record(_, let fields): return Self.problem(value, name, fields)
        }
    }

    private static func problem(
        _ value: JSONValue, _ name: String, _ fields: [CapabilityField]
    ) -> String? {
        guard let members = value.object else { return "the \(name) is not a table" }
        if let unknown = members.keys.sorted().first(where: { key in
            !fields.contains { $0.name == key }
        }) {
            let known = fields.map(\.name).joined(separator: ", ")
            return "unknown field '\(unknown)'; known: \(known)"
        }
        for field in fields {
            guard let member = members[field.name], member != .null else {
                guard field.isOptional else { return field.missing }
                continue
            }
            if let problem = field.type.problem(member, field.name) { return problem }
            if field.type == .string, !field.isOptional, member.string?.isEmpty == true {
                return field.missing
            }
        }
        return nil
    }
}

/// An argument, or a field of a table.
package struct CapabilityField: Hashable, Sendable {
    package let name: String
    package let type: CapabilityType
    package let isOptional: Bool
    package let documentation: String

    init(_ name: String, _ type: CapabilityType, optional: Bool = false, _ documentation: String) {
        self.name = name
        self.type = type
        isOptional = optional
        self.documentation = documentation
    }

    fileprivate var missing: String {
        type == .string ? "'\(name)' must be a non-empty text" : "'\(name)' is missing"
    }
}

/// A secret as it travels: by name, never by value.
package struct SecretReference: Hashable, Sendable {
    package static let key = "$secret"
    package let name: String

    package init?(_ value: JSONValue) {
        guard let members = value.object, members.count == 1, let name = members[Self.key]?.string
        else { return nil }
        self.name = name
    }

    /// The names of all secrets in a value.
    package static func names(in value: JSONValue) -> Set<String> {
        if let reference = SecretReference(value) { return [reference.name] }
        switch value {
        case .array(let elements): return Set(elements.flatMap { names(in: $0) })
        case .object(let members): return Set(members.values.flatMap { names(in: $0) })
        default: return []
        }
    }
}
