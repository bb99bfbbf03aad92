/// Why bytes are not one JSON value that we read, and at which of them, from 0.
package struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var reason: String
    package var offset: Int
    /// The key, where it stands twice in one object. Keys that are canonically equivalent in Unicode
    /// (`é` as one scalar or as two) are one key here.
    package var repeatedKey: String?

    package var description: String { "\(reason), at byte \(offset)" }
}

/// What a ``JSONReader`` makes of what it reads.
protocol JSONBuilder {
    associatedtype Value

    static var null: Value { get }
    static func bool(_ flag: Bool) -> Value
    static func int(_ number: Int64) -> Value
    /// A number that is no whole one of 64 bits, as it stands there; `nil`: there is no place for it.
    static func number(_ text: String) -> Value?
    static func string(_ text: String) -> Value
    static func array(_ elements: [Value]) -> Value
    /// In the order of the text, each key once.
    static func object(_ members: [(key: String, value: Value)]) throws(RepeatedKey) -> Value
}

struct RepeatedKey: Error {
    var key: String
}

/// Reads JSON after RFC 8259: from strangers, and in the way of each host call of a hook.
///
/// By hand (decision 4): stricter than Foundation where readers differ and an attacker could use
/// it, since a key that stands twice is refused, and so are deep nesting and unpaired surrogates;
/// and several times as fast, since it need not ask of each value what it might be.
struct JSONReader<Builder: JSONBuilder>: ~Copyable {
    private let bytes: ArraySlice<UInt8>
    private let depthMax: Int
    private var at: Int

    /// - Throws: ``JSONFault`` when it is not one JSON value in UTF-8.
    static func read(
        _ bytes: ArraySlice<UInt8>, depthMax: Int
    ) throws(JSONFault) -> Builder.Value {
        var reader = JSONReader(bytes: bytes, depthMax: depthMax)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.at == bytes.endIndex else {
            throw reader.fault("something follows the JSON value")
        }
        return value
    }

    private init(bytes: ArraySlice<UInt8>, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
        at = bytes.startIndex
    }

    /// The next byte, which stays; 0, which stands nowhere in JSON, at the end.
    private var next: UInt8 { at < bytes.endIndex ? bytes[at] : 0 }

    private func fault(_ reason: String) -> JSONFault {
        JSONFault(reason: reason, offset: at - bytes.startIndex)
    }

    private mutating func skipBlanks() {
        while [0x20, 0x0A, 0x0D, 0x09].contains(next) { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONFault) -> Builder.Value {
        guard depth <= depthMax else { throw fault("it is nested too deeply") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return Builder.string(try string())
        case UInt8(ascii: "t"): return try word("true", Builder.bool(true))
        case UInt8(ascii: "f"): return try word("false", Builder.bool(false))
        case UInt8(ascii: "n"): return try word("null", Builder.null)
        case UInt8(ascii: "-"), 0x30...0x39: return try number()
        default:
            throw fault(
                at == bytes.endIndex ? "the JSON value is missing" : "this is no JSON value")
        }
    }

    private mutating func word(
        _ text: StaticString, _ value: Builder.Value
    ) throws(JSONFault) -> Builder.Value {
        let isThere = text.withUTF8Buffer { bytes[at...].starts(with: $0) }
        guard isThere else { throw fault("this is no JSON value") }
        at += text.utf8CodeUnitCount
        return value
    }

    private mutating func object(depth: Int) throws(JSONFault) -> Builder.Value {
        at += 1
        var members: [(key: String, value: Builder.Value)] = []
        skipBlanks()
        if !take(UInt8(ascii: "}")) {
            repeat {
                skipBlanks()
                guard next == UInt8(ascii: "\"") else { throw fault("a field's name is missing") }
                let key = try string()
                skipBlanks()
                guard take(UInt8(ascii: ":")) else { throw fault("a colon is missing") }
                members.append((key, try value(depth: depth + 1)))
                skipBlanks()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw fault("the end of an object is missing") }
        }
        do {
            return try Builder.object(members)
        } catch {
            var fault = fault("the field '\(error.key)' stands twice in the object that ends here")
            fault.repeatedKey = error.key
            throw fault
        }
    }

    private mutating func array(depth: Int) throws(JSONFault) -> Builder.Value {
        at += 1
        var elements: [Builder.Value] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return Builder.array(elements) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault("the end of a list is missing") }
        return Builder.array(elements)
    }

    // MARK: Texts

    private mutating func string() throws(JSONFault) -> String {
        at += 1
        let start = at
        while next >= 0x20, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { at += 1 }
        guard next != UInt8(ascii: "\"") else {
            defer { at += 1 }
            return try text(bytes[start..<at])
        }
        var plain = Array(bytes[start..<at])
        while !take(UInt8(ascii: "\"")) {
            guard at < bytes.endIndex else { throw fault("the end of a text is missing") }
            guard next >= 0x20 else { throw fault("a control character stands in a text") }
            if take(UInt8(ascii: "\\")) {
                plain.append(contentsOf: String(try escaped()).utf8)
            } else {
                plain.append(next)
                at += 1
            }
        }
        return try text(plain[...])
    }

    private func text(_ utf8: ArraySlice<UInt8>) throws(JSONFault) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else {
            throw fault("a text is not UTF-8")
        }
        return text
    }

    /// What stands after a backslash.
    private mutating func escaped() throws(JSONFault) -> Unicode.Scalar {
        defer { at += 1 }
        switch next {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try scalar()
        default: throw fault("an escape is unknown")
        }
    }

    /// `uXXXX`, or two of them that are one scalar. Leaves its last digit to the caller.
    private mutating func scalar() throws(JSONFault) -> Unicode.Scalar {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        at += 1
        guard take(UInt8(ascii: "\\")), next == UInt8(ascii: "u") else {
            throw fault("a surrogate stands alone")
        }
        let second = try fourDigits()
        guard (0xD800..<0xDC00).contains(first), (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault("a surrogate stands alone") }
        return scalar
    }

    private mutating func fourDigits() throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            at += 1
            let digit: UInt8
            switch next {
            case 0x30...0x39: digit = next - 0x30
            case 0x41...0x46: digit = next - 0x41 + 10
            case 0x61...0x66: digit = next - 0x61 + 10
            default: throw fault("four hexadecimal digits are missing")
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    // MARK: Numbers

    private mutating func number() throws(JSONFault) -> Builder.Value {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if !take(0x30) { try digits() }
        let isPlain = ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next)
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if let whole = isPlain ? Int64(text) : Self.whole(text) { return Builder.int(whole) }
        guard let value = Builder.number(text) else {
            throw fault("\(text.prefix(40)) is no whole number of 64 bits")
        }
        return value
    }

    /// 60.0 is a whole number to JSON Schema; beyond 2^53 a double does not tell which.
    private static func whole(_ text: String) -> Int64? {
        guard let value = Double(text), value.magnitude <= 9_007_199_254_740_992 else {
            return nil
        }
        return Int64(exactly: value)
    }

    private mutating func digits() throws(JSONFault) {
        let start = at
        while (0x30...0x39).contains(next) { at += 1 }
        guard at > start else { throw fault("a digit is missing") }
    }
}
