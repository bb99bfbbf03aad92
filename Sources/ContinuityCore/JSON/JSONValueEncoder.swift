extension JSONValue {
    /// The JSON tree of any `Encodable`.
    ///
    /// - Throws: `EncodingError.invalidValue` for a floating-point number: journaled data is
    ///   made of integers with their unit in the key.
    package init(encoding value: some Encodable) throws {
        let node = JSONTreeNode()
        try JSONTreeEncoder(node: node, codingPath: []).encodeValue(value)
        self = node.value
    }
}

/// The tree under construction. Confined to one encoding call, never shared.
private final class JSONTreeNode {
    enum Content {
        case scalar(JSONValue)
        case array([JSONTreeNode])
        case object([String: JSONTreeNode])
    }

    var content: Content?

    var value: JSONValue {
        switch content {
        case nil: .null
        case .scalar(let value): value
        case .array(let nodes): .array(nodes.map(\.value))
        case .object(let nodes): .object(nodes.mapValues(\.value))
        }
    }
}

private struct JSONTreeEncoder: Encoder, SingleValueEncodingContainer {
    let node: JSONTreeNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy: Key.Type) -> KeyedEncodingContainer<Key> {
        if node.content == nil { node.content = .object([:]) }
        return KeyedEncodingContainer(KeyedContainer(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if node.content == nil { node.content = .array([]) }
        return UnkeyedContainer(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeValue<T: Encodable>(_ value: T) throws {
        if let json = value as? JSONValue {
            node.content = .scalar(json)
        } else {
            try value.encode(to: self)
        }
    }

    func encodeNil() { node.content = .scalar(.null) }
    func encode(_ value: Bool) { node.content = .scalar(.bool(value)) }
    func encode(_ value: String) { node.content = .scalar(.string(value)) }
    func encode(_ value: Int) { integer(value) }
    func encode(_ value: Int8) { integer(value) }
    func encode(_ value: Int16) { integer(value) }
    func encode(_ value: Int32) { integer(value) }
    func encode(_ value: Int64) { integer(value) }
    func encode(_ value: UInt8) { integer(value) }
    func encode(_ value: UInt16) { integer(value) }
    func encode(_ value: UInt32) { integer(value) }
    func encode(_ value: UInt) throws { try checked(value) }
    func encode(_ value: UInt64) throws { try checked(value) }
    func encode(_ value: Double) throws { try refuse(value) }
    func encode(_ value: Float) throws { try refuse(value) }
    func encode<T: Encodable>(_ value: T) throws { try encodeValue(value) }

    private func integer(_ value: some BinaryInteger) {
        node.content = .scalar(.int(Int64(value)))
    }

    private func checked(_ value: some BinaryInteger) throws {
        guard let exact = Int64(exactly: value) else { return try refuse(value) }
        integer(exact)
    }

    private func refuse(_ value: Any) throws {
        throw EncodingError.invalidValue(
            value,
            .init(
                codingPath: codingPath,
                debugDescription: "only integers within 64 bits can be journaled"))
    }
}

private struct KeyedContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONTreeNode
    let codingPath: [any CodingKey]

    private func child(_ key: any CodingKey) -> JSONTreeEncoder {
        let child = JSONTreeNode()
        if case .object(var members) = node.content {
            node.content = nil
            members[key.stringValue] = child
            node.content = .object(members)
        }
        return JSONTreeEncoder(node: child, codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { child(key).encodeNil() }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try child(key).encodeValue(value)
    }
    func nestedContainer<Nested: CodingKey>(
        keyedBy: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        child(key).container(keyedBy: keyedBy)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        child(key).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { child(AnyCodingKey("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { child(key) }
}

private struct UnkeyedContainer: UnkeyedEncodingContainer {
    let node: JSONTreeNode
    let codingPath: [any CodingKey]

    var count: Int {
        guard case .array(let elements) = node.content else { return 0 }
        return elements.count
    }

    private func child() -> JSONTreeEncoder {
        let child = JSONTreeNode()
        if case .array(var elements) = node.content {
            node.content = nil
            elements.append(child)
            node.content = .array(elements)
        }
        return JSONTreeEncoder(node: child, codingPath: codingPath)
    }

    func encodeNil() { child().encodeNil() }
    func encode<T: Encodable>(_ value: T) throws { try child().encodeValue(value) }
    func nestedContainer<Nested: CodingKey>(
        keyedBy: Nested.Type
    ) -> KeyedEncodingContainer<Nested> {
        child().container(keyedBy: keyedBy)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { child().unkeyedContainer() }
    func superEncoder() -> any Encoder { child() }
}
