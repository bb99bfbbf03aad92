import Yams

/// Reads JSON (RFC 8259) strictly into the tree that files are read into: no key twice, no deeper
/// than anything of ours is, and numbers as they were written.
struct JSONBodyParser {
    static let depthMax = 32

    struct Failure: Error {
        /// In bytes, from 0.
        let offset: Int
        let message: String
    }

    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func parse() throws(Failure) -> YAMLNode {
        let node = try value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw failure("something follows the value") }
        return node
    }

    private func failure(_ message: String) -> Failure { Failure(offset: index, message: message) }

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> YAMLNode {
        guard depth <= Self.depthMax else {
            throw failure("it is nested deeper than \(Self.depthMax) levels")
        }
        skipSpace()
        guard index < bytes.count else { throw failure("it ends too early") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return YAMLNode(try string(), Tag(.str), .doubleQuoted)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: return try word()
        }
    }

    private mutating func object(_ depth: Int) throws(Failure) -> YAMLNode {
        index += 1
        var members: [(YAMLNode, YAMLNode)] = []
        var names: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return YAMLNode(members) }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                throw failure("a field's name is missing")
            }
            let name = try string()
            guard names.insert(name).inserted else {
                throw failure("the field '\(name)' stands more than once")
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("':' is missing") }
            members.append((YAMLNode(name), try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return YAMLNode(members) }
            guard take(UInt8(ascii: ",")) else { throw failure("',' or '}' is missing") }
        }
    }

    private mutating func array(_ depth: Int) throws(Failure) -> YAMLNode {
        index += 1
        var elements: [YAMLNode] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return YAMLNode(elements) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return YAMLNode(elements) }
            guard take(UInt8(ascii: ",")) else { throw failure("',' or ']' is missing") }
        }
    }

    private mutating func word() throws(Failure) -> YAMLNode {
        for word in ["true", "false", "null"] where bytes[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return YAMLNode(word, .implicit, .plain)
        }
        throw failure("this is no JSON value")
    }

    private mutating func number() throws(Failure) -> YAMLNode {
        let start = index
        func digits(_ parser: inout JSONBodyParser) throws(Failure) {
            let first = parser.index
            while parser.index < parser.bytes.count,
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(parser.bytes[parser.index])
            {
                parser.index += 1
            }
            guard parser.index > first else { throw parser.failure("a digit is missing") }
        }
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits(&self) }
        if take(UInt8(ascii: ".")) { try digits(&self) }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits(&self)
        }
        return YAMLNode(String(decoding: bytes[start..<index], as: UTF8.self), .implicit, .plain)
    }

    private mutating func string() throws(Failure) -> String {
        index += 1
        var units: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                guard let text = String(validating: units, as: UTF8.self) else {
                    throw failure("a text is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"):
                index += 1
                units += try escaped()
            case 0..<0x20: throw failure("a control character stands in a text")
            default:
                units.append(byte)
                index += 1
            }
        }
        throw failure("a text does not end")
    }

    private mutating func escaped() throws(Failure) -> [UInt8] {
        guard index < bytes.count else { throw failure("a text does not end") }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"):
            let first = try unit()
            guard first != 0 else { throw failure("a text holds NUL") }
            if let scalar = Unicode.Scalar(first) { return Array(String(scalar).utf8) }
            guard UTF16.isLeadSurrogate(first), take(UInt8(ascii: "\\")),
                take(UInt8(ascii: "u"))
            else { throw failure("half of a pair stands alone") }
            let second = try unit()
            guard UTF16.isTrailSurrogate(second) else {
                throw failure("half of a pair stands alone")
            }
            return Array(String(decoding: [first, second], as: UTF16.self).utf8)
        default: throw failure("an unknown escape")
        }
    }

    private mutating func unit() throws(Failure) -> UInt16 {
        guard index + 4 <= bytes.count,
            bytes[index..<(index + 4)].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt16(
                String(decoding: bytes[index..<(index + 4)], as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits are missing") }
        index += 4
        return value
    }
}
