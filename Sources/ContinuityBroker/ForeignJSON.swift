import ContinuityCore

/// JSON that somebody else wrote, as a script and the journal may hold it.
enum ForeignJSON {
    /// `nil` where the text is not JSON of RFC 8259, has a key twice, or nests too deep for a script.
    static func value(_ text: String) -> JSONValue? {
        guard let tree = try? JSONTree(parsing: Array(text.utf8)) else { return nil }
        return value(tree, depth: 0)
    }

    /// Below what the sandbox takes (32), since it stands within an answer.
    private static let depthMax = 30

    /// Fractions become texts, since journaled data holds none.
    private static func value(_ tree: JSONTree, depth: Int) -> JSONValue? {
        guard depth < depthMax else { return nil }
        switch tree {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .number(let text), .string(let text): return .string(text)
        case .array(let elements):
            var values: [JSONValue] = []
            for element in elements {
                guard let value = value(element, depth: depth + 1) else { return nil }
                values.append(value)
            }
            return .array(values)
        case .object(let members):
            var values = [String: JSONValue](minimumCapacity: members.count)
            for (key, member) in members {
                guard let value = value(member, depth: depth + 1) else { return nil }
                values[key] = value
            }
            return .object(values)
        }
    }
}
