import ContinuityCore

extension JSONValue {
    /// Parses one JSON text (RFC 8259). A number must be an integer that fits 64 bits (`2.0` is
    /// one); of a key that stands twice in an object, the last value is taken.
    ///
    /// By hand, because this stands in the way of each host call: Foundation's parsers take
    /// several times as long, most of it for asking of each value what it might be.
    ///
    /// - Throws: `JSONProblem` when the bytes are not such a text, or nest deeper than 512.
    init(parsing bytes: ArraySlice<UInt8>) throws(JSONProblem) {
        var reader = JSONReader(bytes)
        self = try reader.value(depth: 0)
        try reader.finish()
    }
}

/// Why bytes are not a `JSONValue`, for people.
struct JSONProblem: Error, CustomStringConvertible {
    let description: String
}

private struct JSONReader {
    private static let depthMax = 512

    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    /// The next byte, which stays; 0, which stands nowhere in JSON, at the end.
    private var next: UInt8 { at < bytes.endIndex ? bytes[at] : 0 }

    private func problem(_ what: String) -> JSONProblem {
        JSONProblem(description: "not JSON: \(what) at byte \(at - bytes.startIndex)")
    }

    private mutating func skipSpace() {
        while [0x20, 0x0A, 0x0D, 0x09].contains(next) { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    mutating func finish() throws(JSONProblem) {
        skipSpace()
        guard at == bytes.endIndex else { throw problem("something after the value") }
    }

    mutating func value(depth: Int) throws(JSONProblem) -> JSONValue {
        guard depth <= Self.depthMax else { throw problem("too deep a nesting") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(
        _ text: StaticString, _ value: JSONValue
    ) throws(JSONProblem) -> JSONValue {
        let isThere = text.withUTF8Buffer { bytes[at...].starts(with: $0) }
        guard isThere else { throw problem("an unknown word") }
        at += text.utf8CodeUnitCount
        return value
    }

    private mutating func object(depth: Int) throws(JSONProblem) -> JSONValue {
        at += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw problem("no key") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw problem("no ':'") }
            members[key] = try value(depth: depth + 1)
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw problem("no '}'") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(JSONProblem) -> JSONValue {
        at += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw problem("no ']'") }
        return .array(elements)
    }

    // MARK: Texts

    private mutating func string() throws(JSONProblem) -> String {
        at += 1
        let start = at
        while next >= 0x20, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { at += 1 }
        guard next != UInt8(ascii: "\"") else {
            defer { at += 1 }
            return try text(bytes[start..<at])
        }
        var plain = Array(bytes[start..<at])
        while !take(UInt8(ascii: "\"")) {
            guard next >= 0x20 else { throw problem("a text without an end") }
            if take(UInt8(ascii: "\\")) {
                plain.append(contentsOf: String(try escaped()).utf8)
            } else {
                plain.append(next)
                at += 1
            }
        }
        return try text(plain[...])
    }

    private func text(_ utf8: ArraySlice<UInt8>) throws(JSONProblem) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else {
            throw problem("a text that is not UTF-8")
        }
        return text
    }

    /// What stands after a backslash.
    private mutating func escaped() throws(JSONProblem) -> Unicode.Scalar {
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
        default: throw problem("an unknown escape")
        }
    }

    /// `uXXXX`, or two of them that are one scalar. Leaves its last digit to the caller.
    private mutating func scalar() throws(JSONProblem) -> Unicode.Scalar {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        at += 1
        guard take(UInt8(ascii: "\\")), next == UInt8(ascii: "u") else {
            throw problem("half of a pair")
        }
        let second = try fourDigits()
        guard (0xD800..<0xDC00).contains(first), (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw problem("half of a pair") }
        return scalar
    }

    private mutating func fourDigits() throws(JSONProblem) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            at += 1
            let digit: UInt8
            switch next {
            case 0x30...0x39: digit = next - 0x30
            case 0x41...0x46: digit = next - 0x41 + 10
            case 0x61...0x66: digit = next - 0x61 + 10
            default: throw problem("no four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    // MARK: Numbers

    private mutating func number() throws(JSONProblem) -> JSONValue {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        let isPlain = ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next)
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        let integer = isPlain ? Int64(text) : Double(text).flatMap { Int64(exactly: $0) }
        guard let integer else {
            throw JSONProblem(description: "\(text) is not an integer of 64 bits")
        }
        return .int(integer)
    }

    private mutating func digits() throws(JSONProblem) {
        let start = at
        while (0x30...0x39).contains(next) { at += 1 }
        guard at > start else { throw problem("no digit") }
    }
}
