extension JSONValue {
    private static let depthMax = 512

    /// Parses one JSON text. A number must be a whole one of 64 bits (`2.0` is one).
    ///
    /// - Throws: ``JSONFault`` when the bytes are not such a text, or nest deeper than 512.
    package init(parsing bytes: ArraySlice<UInt8>) throws(JSONFault) {
        self = try JSONReader<Builder>.read(bytes, depthMax: Self.depthMax)
    }

    private enum Builder: JSONBuilder {
        static var null: JSONValue { .null }
        static func bool(_ flag: Bool) -> JSONValue { .bool(flag) }
        static func int(_ number: Int64) -> JSONValue { .int(number) }
        static func number(_ text: String) -> JSONValue? { nil }
        static func string(_ text: String) -> JSONValue { .string(text) }
        static func array(_ elements: [JSONValue]) -> JSONValue { .array(elements) }
        static func object(
            _ members: [(key: String, value: JSONValue)]
        ) throws(RepeatedKey) -> JSONValue {
            var object = [String: JSONValue](minimumCapacity: members.count)
            for (key, value) in members {
                guard object.updateValue(value, forKey: key) == nil else {
                    throw RepeatedKey(key: key)
                }
            }
            return .object(object)
        }
    }
}
