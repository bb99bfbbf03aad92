/// A JSON value as it stands in a text: with numbers that are no whole ones, so that it can be said
/// which field holds them.
package enum JSONTree: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// No whole number of 64 bits: as it was written.
    case number(String)
    case string(String)
    case array([JSONTree])
    /// In the order of the text, each key once.
    case object([(key: String, value: JSONTree)])

    package static let depthMax = 64

    /// - Throws: ``JSONFault`` when it is not one JSON value in UTF-8, or nests deeper than
    ///   ``depthMax``.
    package init(parsing bytes: [UInt8]) throws(JSONFault) {
        self = try JSONReader<Builder>.read(bytes[...], depthMax: Self.depthMax)
    }

    package init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(elements.map(JSONTree.init))
        case .object(let members):
            self = .object(
                members.sorted { $0.key < $1.key }.map { ($0.key, JSONTree($0.value)) })
        }
    }

    private enum Builder: JSONBuilder {
        static var null: JSONTree { .null }
        static func bool(_ flag: Bool) -> JSONTree { .bool(flag) }
        static func int(_ number: Int64) -> JSONTree { .int(number) }
        static func number(_ text: String) -> JSONTree? { .number(text) }
        static func string(_ text: String) -> JSONTree { .string(text) }
        static func array(_ elements: [JSONTree]) -> JSONTree { .array(elements) }
        static func object(
            _ members: [(key: String, value: JSONTree)]
        ) throws(RepeatedKey) -> JSONTree {
            var keys: Set<String> = []
            for (key, _) in members where !keys.insert(key).inserted {
                throw RepeatedKey(key: key)
            }
            return .object(members)
        }
    }
}
