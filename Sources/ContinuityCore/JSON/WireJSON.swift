import FoundationEssentials

/// JSON from another process of ours, or of whoever passes for one.
package enum WireJSON {
    /// Decodes what every reader understands alike: Foundation's own decoder takes one of two members
    /// with the same key, and does not say which.
    ///
    /// - Parameter allowsNUL: a NUL in a text would cut an argument or a path short.
    /// - Throws: ``JSONFault``, or what the decoder throws.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: some Sequence<UInt8>, allowsNUL: Bool = true
    ) throws -> Value {
        let bytes = Array(bytes)
        let tree = try JSONTree(parsing: bytes)
        if !allowsNUL, tree.holdsNUL {
            throw JSONFault(reason: "a text holds a NUL character", offset: 0)
        }
        return try JSONDecoder().decode(type, from: Data(bytes))
    }
}

extension JSONTree {
    fileprivate var holdsNUL: Bool {
        switch self {
        case .string(let text): text.utf8.contains(0)
        case .array(let elements): elements.contains { $0.holdsNUL }
        case .object(let members):
            members.contains { $0.key.utf8.contains(0) || $0.value.holdsNUL }
        case .null, .bool, .int, .number: false
        }
    }
}
