/// Canonical JSON after RFC 8785 (JSON Canonicalization Scheme), restricted to integers.
///
/// Keys are sorted by UTF-16 code units, there is no white space, and strings escape only what
/// the RFC names. Equal values give equal bytes, which is what digests are taken over.
package enum CanonicalJSON {
    package static func bytes(_ value: JSONValue) -> [UInt8] {
        var writer = CanonicalWriter()
        writer.write(value)
        return writer.bytes
    }

    /// The canonical bytes of any `Encodable` that holds no floating point.
    ///
    /// - Throws: `EncodingError` when the value contains a floating-point number.
    package static func bytes(encoding value: some Encodable) throws -> [UInt8] {
        bytes(try JSONValue(encoding: value))
    }
}

/// Appends canonical JSON to a byte buffer. The caller writes object members in key order.
package struct CanonicalWriter {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func write(_ value: JSONValue) {
        switch value {
        case .null: raw("null")
        case .bool(let flag): raw(flag ? "true" : "false")
        case .int(let number): int(number)
        case .string(let text): string(text)
        case .array(let elements):
            raw("[")
            for (index, element) in elements.enumerated() {
                if index > 0 { raw(",") }
                write(element)
            }
            raw("]")
        case .object(let members):
            raw("{")
            var first = true
            for key in members.keys.sorted(by: Self.precedes) {
                if !first { raw(",") }
                first = false
                string(key)
                raw(":")
                write(members[key] ?? .null)
            }
            raw("}")
        }
    }

    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Appends what already is canonical JSON.
    package mutating func append(_ json: [UInt8]) { bytes.append(contentsOf: json) }

    package mutating func int(_ value: Int64) {
        guard value != 0 else { return bytes.append(UInt8(ascii: "0")) }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var rest = value.magnitude
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        }
        bytes[start...].reverse()
    }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(utf8: $0) }
    }

    /// The same for text that is at hand as UTF-8.
    package mutating func string(utf8 text: UnsafeBufferPointer<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        if text.contains(where: {
            $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\")
        }) {
            for byte in text { escaped(byte) }
        } else {
            bytes.append(contentsOf: text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): raw("\\\"")
        case UInt8(ascii: "\\"): raw("\\\\")
        case 0x08: raw("\\b")
        case 0x09: raw("\\t")
        case 0x0A: raw("\\n")
        case 0x0C: raw("\\f")
        case 0x0D: raw("\\r")
        case 0..<0x20:
            raw("\\u00")
            bytes.append(Self.hexDigit(byte >> 4))
            bytes.append(Self.hexDigit(byte & 15))
        default: bytes.append(byte)
        }
    }

    /// Begins anew in the same memory.
    package mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    /// RFC 8785 section 3.2.3 sorts by UTF-16 code units, not by Unicode scalar values.
    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf16.lexicographicallyPrecedes(right.utf16)
    }

    static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
