package import ContinuityCore

/// A JSON value as it stands in a text: with numbers that are no whole ones, so that it can be said
/// which field holds them.
package enum JSONTree: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// No whole number of 64 bits.
    case number
    case string(String)
    case array([JSONTree])
    /// In the order of the text.
    case object([(key: String, value: JSONTree)])

    package init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(elements.map(JSONTree.init))
        case .object(let members):
            self = .object(members.map { ($0.key, JSONTree($0.value)) })
        }
    }
}

/// Why a text is not JSON, and at which byte.
package struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var reason: String
    package var offset: Int
    package var description: String { "\(reason), at byte \(offset)" }
}

/// Reads JSON after RFC 8259. Stricter than Foundation where readers differ and an attacker could
/// use it: a member that stands twice is refused, and so are deep nesting and unpaired surrogates.
package struct JSONTreeReader: ~Copyable {
    private static let depthMax = 64

    private let bytes: [UInt8]
    private var position = 0

    /// - Throws: ``JSONFault`` when it is not one JSON value in UTF-8.
    package static func read(_ bytes: [UInt8]) throws(JSONFault) -> JSONTree {
        var reader = JSONTreeReader(bytes: bytes)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.position == bytes.count else {
            throw reader.fault("something follows the JSON value")
        }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault(_ reason: String) -> JSONFault {
        JSONFault(reason: reason, offset: position)
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func take(word: StaticString) throws(JSONFault) {
        let fits = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        guard fits else { throw fault("this is no JSON value") }
        position += word.utf8CodeUnitCount
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONTree {
        guard depth < Self.depthMax else { throw fault("it is nested too deeply") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"):
            try take(word: "true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try take(word: "false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try take(word: "null")
            return .null
        case nil: throw fault("the JSON value is missing")
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(JSONFault) -> JSONTree {
        position += 1
        var members: [(key: String, value: JSONTree)] = []
        var names: Set<String> = []
        skipBlanks()
        if take("}") { return .object([]) }
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw fault("a member's name is missing") }
            let name = try string()
            guard names.insert(name).inserted else {
                throw fault("the field '\(name)' stands twice")
            }
            skipBlanks()
            guard take(":") else { throw fault("a colon is missing") }
            members.append((name, try value(depth: depth + 1)))
            skipBlanks()
        } while take(",")
        guard take("}") else { throw fault("the end of an object is missing") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(JSONFault) -> JSONTree {
        position += 1
        var elements: [JSONTree] = []
        skipBlanks()
        if take("]") { return .array([]) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
        } while take(",")
        guard take("]") else { throw fault("the end of an array is missing") }
        return .array(elements)
    }

    // MARK: Numbers

    private mutating func digits() throws(JSONFault) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw fault("this is no JSON value") }
    }

    private mutating func number() throws(JSONFault) -> JSONTree {
        let start = position
        var isWhole = true
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") {
            isWhole = false
            try digits()
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole { return Int64(text).map(JSONTree.int) ?? .number }
        // 60.0 is a whole number to JSON Schema; beyond 2^53 a double does not tell which.
        guard let value = Double(text), value.magnitude <= 9_007_199_254_740_992,
            let whole = Int64(exactly: value)
        else { return .number }
        return .int(whole)
    }

    // MARK: Strings

    private mutating func string() throws(JSONFault) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw fault("a text is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): text += try escaped()
            case 0..<0x20: throw fault("a control character stands in a text")
            default: text.append(byte)
            }
        }
        throw fault("the end of a text is missing")
    }

    private mutating func escaped() throws(JSONFault) -> [UInt8] {
        guard let byte = next else { throw fault("the end of a text is missing") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): break
        default: throw fault("an escape is unknown")
        }
        var units = [try codeUnit()]
        if UTF16.isLeadSurrogate(units[0]) {
            guard take("\\"), take("u") else { throw fault("a surrogate stands alone") }
            units.append(try codeUnit())
        }
        guard let string = String(validating: units, as: UTF16.self) else {
            throw fault("a surrogate stands alone")
        }
        return Array(string.utf8)
    }

    private mutating func codeUnit() throws(JSONFault) -> UInt16 {
        let end = position + 4
        guard end <= bytes.count,
            bytes[position..<end].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let unit = UInt16(String(decoding: bytes[position..<end], as: UTF8.self), radix: 16)
        else { throw fault("an escape is unknown") }
        position = end
        return unit
    }
}
