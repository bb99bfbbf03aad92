extension JSONTree {
    /// The tree as a value of ours, without reading the text again.
    ///
    /// - Throws: `DecodingError` naming the field that does not fit.
    package func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        try JSONTreeDecoder(tree: self, codingPath: []).decode(type)
    }

    /// As it is journaled; `nil` where a number in it is no whole one of 64 bits.
    var value: JSONValue? {
        switch self {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .number: return nil
        case .string(let text): return .string(text)
        case .array(let elements):
            let values = elements.compactMap(\.value)
            return values.count == elements.count ? .array(values) : nil
        case .object(let members):
            var object = [String: JSONValue](minimumCapacity: members.count)
            for (key, member) in members {
                guard let value = member.value else { return nil }
                object[key] = value
            }
            return .object(object)
        }
    }
}

private struct JSONTreeDecoder: Decoder, SingleValueDecodingContainer {
    let tree: JSONTree
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = tree else { throw mismatch("an object") }
        return KeyedDecodingContainer(
            JSONTreeKeyedContainer<Key>(members: members, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = tree else { throw mismatch("a list") }
        return JSONTreeUnkeyedContainer(elements: elements, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool {
        guard case .null = tree else { return false }
        return true
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let flag) = tree else { throw mismatch("true or false") }
        return flag
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string(let text) = tree else { throw mismatch("a text") }
        return text
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch tree {
        case .int(let number): return Double(number)
        case .number(let text):
            guard let number = Double(text) else { throw mismatch("a number") }
            return number
        default: throw mismatch("a number")
        }
    }

    func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        // It would try one type after the other.
        if type == JSONValue.self {
            guard let value = tree.value as? Value else { throw mismatch("whole numbers") }
            return value
        }
        return try Value(from: self)
    }

    private func integer<Number: FixedWidthInteger>() throws -> Number {
        guard case .int(let number) = tree, let exact = Number(exactly: number) else {
            throw mismatch("a whole number of \(Number.bitWidth) bits")
        }
        return exact
    }

    private func mismatch(_ wanted: String) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "it is not \(wanted)")
        if case .null = tree { return .valueNotFound(Any.self, context) }
        return .typeMismatch(Any.self, context)
    }
}

private struct JSONTreeKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [(key: String, value: JSONTree)]
    let codingPath: [any CodingKey]

    var allKeys: [Key] { members.compactMap { Key(stringValue: $0.key) } }
    func contains(_ key: Key) -> Bool { tree(key) != nil }

    /// Objects of ours have a few fields: looking along them costs less than an index.
    private func tree(_ key: any CodingKey) -> JSONTree? {
        let name = key.stringValue
        return members.first { $0.key == name }?.value
    }

    private func decoder(_ key: any CodingKey) throws -> JSONTreeDecoder {
        guard let tree = tree(key) else {
            throw DecodingError.keyNotFound(
                key, .init(codingPath: codingPath, debugDescription: "it is missing"))
        }
        return JSONTreeDecoder(tree: tree, codingPath: codingPath + [key])
    }

    func decodeNil(forKey key: Key) throws -> Bool { try decoder(key).decodeNil() }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try decoder(key).decode(type)
    }
    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder(key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder { try decoder(AnyCodingKey("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try decoder(key) }
}

private struct JSONTreeUnkeyedContainer: UnkeyedDecodingContainer {
    let elements: [JSONTree]
    let codingPath: [any CodingKey]
    var currentIndex = 0

    init(elements: [JSONTree], codingPath: [any CodingKey]) {
        self.elements = elements
        self.codingPath = codingPath
    }

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex >= elements.count }

    private mutating func next() throws -> JSONTreeDecoder {
        let path = codingPath + [AnyCodingKey(String(currentIndex))]
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                Any.self, .init(codingPath: path, debugDescription: "the list has ended"))
        }
        defer { currentIndex += 1 }
        return JSONTreeDecoder(tree: elements[currentIndex], codingPath: path)
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, case .null = elements[currentIndex] else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try next().decode(type)
    }
    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next().unkeyedContainer()
    }
    mutating func superDecoder() throws -> any Decoder { try next() }
}
