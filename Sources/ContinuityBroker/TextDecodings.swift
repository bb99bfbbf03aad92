/// What a text may stand for: its escapes decoded, and what stands in it as Base64, Base32, in
/// hexadecimal, or as decimal numbers. Each function reads its input once, and gives no more bytes
/// than it has (`base`: for each of a fixed number of alignments).
enum TextDecodings {
    // MARK: Escapes

    /// Decodes JSON's and C's escapes (`\/`, `\u002F`, `\x2f`, `\057`), percent-encoding and HTML's
    /// character references, all in one pass. `nil`: there is none.
    static func unescaped(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.contains(where: { $0 == 0x5C || $0 == 0x25 || $0 == 0x26 }) else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var at = 0
        var isChanged = false
        while at < bytes.count {
            let decoded: (value: [UInt8], end: Int)? =
                switch bytes[at] {
                case UInt8(ascii: "\\"): backslash(bytes, at + 1)
                case UInt8(ascii: "%"): percent(bytes, at + 1)
                case UInt8(ascii: "&"): reference(bytes, at + 1)
                default: nil
                }
            if let decoded {
                output.append(contentsOf: decoded.value)
                at = decoded.end
                isChanged = true
            } else {
                output.append(bytes[at])
                at += 1
            }
        }
        return isChanged ? output : nil
    }

    /// Quoted-printable: `=2F`, and lines that end in `=`. `nil`: there is none.
    static func unquoted(_ bytes: [UInt8]) -> [UInt8]? {
        guard bytes.contains(UInt8(ascii: "=")) else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "=") else {
                output.append(bytes[at])
                at += 1
                continue
            }
            if let value = number(bytes, at + 1, digits: 2) {
                output.append(UInt8(value))
                at += 3
            } else {
                at += 1
                while at < bytes.count, bytes[at] == 0x0D || bytes[at] == 0x0A { at += 1 }
            }
        }
        return output
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte - 0x30)
        case 0x41...0x46: UInt32(byte - 0x41 + 10)
        case 0x61...0x66: UInt32(byte - 0x61 + 10)
        default: nil
        }
    }

    /// Exactly so many hexadecimal digits.
    private static func number(_ bytes: [UInt8], _ start: Int, digits: Int) -> UInt32? {
        guard start + digits <= bytes.count else { return nil }
        var value: UInt32 = 0
        for at in start..<start + digits {
            guard let digit = digit(bytes[at]) else { return nil }
            value = value << 4 | digit
        }
        return value
    }

    private static func utf8(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String($0).utf8) } ?? []
    }

    private static func percent(_ bytes: [UInt8], _ at: Int) -> (value: [UInt8], end: Int)? {
        if let value = number(bytes, at, digits: 2) { return ([UInt8(value)], at + 2) }
        guard at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "u"),
            let value = number(bytes, at + 1, digits: 4)
        else { return nil }
        return (utf8(value), at + 5)
    }

    private static func backslash(_ bytes: [UInt8], _ at: Int) -> (value: [UInt8], end: Int)? {
        guard at < bytes.count else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            if at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "{") {
                return braced(bytes, at + 2)
            }
            let wide = bytes[at] == UInt8(ascii: "U") ? number(bytes, at + 1, digits: 8) : nil
            if let wide { return (utf8(wide), at + 9) }
            guard let value = number(bytes, at + 1, digits: 4) else { break }
            return surrogates(value, bytes, at + 5)
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            if let value = number(bytes, at + 1, digits: 2) { return ([UInt8(value)], at + 3) }
        case 0x30...0x37:
            var value: UInt32 = 0
            var end = at
            while end < bytes.count, end < at + 3, (0x30...0x37).contains(bytes[end]) {
                value = value << 3 | UInt32(bytes[end] - 0x30)
                end += 1
            }
            return ([UInt8(truncatingIfNeeded: value)], end)
        case UInt8(ascii: "n"): return ([0x0A], at + 1)
        case UInt8(ascii: "r"): return ([0x0D], at + 1)
        case UInt8(ascii: "t"): return ([0x09], at + 1)
        default: break
        }
        return ([bytes[at]], at + 1)
    }

    private static func braced(_ bytes: [UInt8], _ start: Int) -> (value: [UInt8], end: Int)? {
        var value: UInt32 = 0
        var at = start
        while at < bytes.count, at < start + 8, let digit = digit(bytes[at]) {
            value = value << 4 | digit
            at += 1
        }
        guard at > start, at < bytes.count, bytes[at] == UInt8(ascii: "}") else { return nil }
        return (utf8(value), at + 1)
    }

    private static func surrogates(
        _ first: UInt32, _ bytes: [UInt8], _ end: Int
    ) -> (value: [UInt8], end: Int) {
        guard (0xD800..<0xDC00).contains(first), end + 1 < bytes.count,
            bytes[end] == UInt8(ascii: "\\"), bytes[end + 1] | 0x20 == UInt8(ascii: "u"),
            let second = number(bytes, end + 2, digits: 4), (0xDC00..<0xE000).contains(second)
        else { return (utf8(first), end) }
        return (utf8(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)), end + 6)
    }

    /// HTML's names of the printable characters of ASCII.
    private static let names: [String: UInt8] = [
        "amp": 0x26, "AMP": 0x26, "lt": 0x3C, "LT": 0x3C, "gt": 0x3E, "GT": 0x3E, "quot": 0x22,
        "QUOT": 0x22, "apos": 0x27, "excl": 0x21, "num": 0x23, "dollar": 0x24, "percnt": 0x25,
        "lpar": 0x28, "rpar": 0x29, "ast": 0x2A, "midast": 0x2A, "plus": 0x2B, "comma": 0x2C,
        "hyphen": 0x2D, "dash": 0x2D, "period": 0x2E, "sol": 0x2F, "colon": 0x3A, "semi": 0x3B,
        "equals": 0x3D, "quest": 0x3F, "commat": 0x40, "lsqb": 0x5B, "lbrack": 0x5B, "bsol": 0x5C,
        "rsqb": 0x5D, "rbrack": 0x5D, "Hat": 0x5E, "lowbar": 0x5F, "UnderBar": 0x5F,
        "grave": 0x60, "DiacriticalGrave": 0x60, "lcub": 0x7B, "lbrace": 0x7B, "verbar": 0x7C,
        "vert": 0x7C, "VerticalLine": 0x7C, "rcub": 0x7D, "rbrace": 0x7D, "Tab": 0x09,
        "NewLine": 0x0A, "nbsp": 0x20, "shy": 0x20,
    ]
    private static let nameBytesMax = 16

    /// What follows an ampersand: `#43;`, `#x2B;`, `plus;`.
    private static func reference(_ bytes: [UInt8], _ at: Int) -> (value: [UInt8], end: Int)? {
        let window = bytes[at..<min(bytes.count, at + nameBytesMax)]
        func closed(_ end: Int) -> Int {
            end < bytes.count && bytes[end] == UInt8(ascii: ";") ? end + 1 : end
        }
        guard window.first == UInt8(ascii: "#") else {
            let name = window.prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
            guard let byte = names[String(decoding: name, as: UTF8.self)] else { return nil }
            return ([byte], closed(name.endIndex))
        }
        let isHex = window.dropFirst().first.map { $0 | 0x20 } == UInt8(ascii: "x")
        let digits = window.dropFirst(isHex ? 2 : 1).prefix {
            isHex ? digit($0) != nil : (0x30...0x39).contains($0)
        }
        guard !digits.isEmpty,
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: isHex ? 16 : 10)
        else { return nil }
        return (utf8(value), closed(digits.endIndex))
    }

    // MARK: Bytes written as text

    /// How bytes are written with `bits` to a character.
    struct Alphabet: Sendable {
        let bits: UInt32
        /// At how many places of a text the first whole byte may begin.
        let alignments: Int
        /// By byte: its value, 0xFF where it ends a run, 0xFE where it is passed over.
        let values: [UInt8]

        static let ends: UInt8 = 0xFF
        static let passed: UInt8 = 0xFE

        init(bits: UInt32, alignments: Int, passing: String, _ values: [(String, first: UInt8)]) {
            self.bits = bits
            self.alignments = alignments
            var table = [UInt8](repeating: Self.ends, count: 256)
            for byte in passing.utf8 { table[Int(byte)] = Self.passed }
            for (characters, first) in values {
                for (offset, byte) in characters.utf8.enumerated() {
                    table[Int(byte)] = first + UInt8(offset)
                }
            }
            self.values = table
        }

        static let base64 = Alphabet(
            bits: 6, alignments: 4, passing: "\r\n\t",
            [
                ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", first: 0),
                ("-_", first: 62),
            ])
        static let base32 = Alphabet(
            bits: 5, alignments: 8, passing: "\r\n\t",
            [
                ("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", first: 0),
                ("abcdefghijklmnopqrstuvwxyz", first: 0),
            ]
        )
        static let hexadecimal = Alphabet(
            bits: 4, alignments: 2, passing: "\r\n\t :-,;.{}[]\"'",
            [("0123456789abcdef", first: 0), ("ABCDEF", first: 10)])
    }

    /// Runs with fewer characters hold no secret.
    private static let runMin = 8

    /// All runs of the alphabet, decoded at each alignment. Line ends within a run are passed over.
    static func base(_ bytes: [UInt8], _ alphabet: Alphabet) -> [[UInt8]] {
        var outputs = [[UInt8]](repeating: [], count: alphabet.alignments)
        var run: [UInt8] = []
        func flush() {
            defer { run.removeAll(keepingCapacity: true) }
            guard run.count >= runMin else { return }
            for alignment in outputs.indices {
                append(run, from: alignment, alphabet.bits, to: &outputs[alignment])
            }
        }
        var previous: UInt8 = 0
        for byte in bytes {
            let value = alphabet.values[Int(byte)]
            switch value {
            case Alphabet.passed: break
            case Alphabet.ends:
                // `0x70, 0x6c`: the prefix of each byte.
                if alphabet.bits == 4, byte | 0x20 == UInt8(ascii: "x"),
                    previous == UInt8(ascii: "0")
                {
                    run.removeLast()
                } else if !(byte == 0x20 && previous == 0x0A) {
                    flush()
                }
            default: run.append(value)
            }
            previous = byte
        }
        flush()
        return outputs.filter { !$0.isEmpty }
    }

    private static func append(
        _ run: [UInt8], from start: Int, _ bits: UInt32, to output: inout [UInt8]
    ) {
        var held: UInt32 = 0
        var count: UInt32 = 0
        for value in run.dropFirst(start) {
            held = held << bits | UInt32(value)
            count += bits
            guard count >= 8 else { continue }
            count -= 8
            output.append(UInt8(truncatingIfNeeded: held >> count))
        }
        // Runs stay apart.
        output.append(0)
    }

    /// Numbers up to 255, as bytes: `[112, 108, 52]`.
    static func decimals(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var value: UInt32?
        for byte in bytes {
            if (0x30...0x39).contains(byte) {
                value = min(1000, (value ?? 0) * 10 + UInt32(byte - 0x30))
            } else if let number = value {
                output.append(number < 256 ? UInt8(number) : 0)
                value = nil
            }
        }
        if let number = value, number < 256 { output.append(UInt8(number)) }
        return output
    }
}
