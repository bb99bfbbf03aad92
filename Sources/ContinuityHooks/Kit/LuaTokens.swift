/// The words of a Lua script, without comments: enough to see how names are used. The script is
/// known to compile, so nothing is judged here.
struct LuaTokens {
    enum Kind: Hashable {
        case name(String)
        /// A text's value as written: escapes stay, which no field name holds.
        case text(String)
        /// Anything else: an operator, a bracket, a number.
        case other(String)
    }

    struct Token {
        let kind: Kind
        /// Counted from 1.
        let line: Int
    }

    static func all(in script: String) -> [Token] {
        var reader = LuaTokens(bytes: Array(script.utf8))
        var tokens: [Token] = []
        while let token = reader.next() { tokens.append(token) }
        return tokens
    }

    private let bytes: [UInt8]
    private var at = 0
    private var line = 1

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func byte(_ offset: Int = 0) -> UInt8 {
        at + offset < bytes.count ? bytes[at + offset] : 0
    }

    private mutating func advance() {
        if byte() == 0x0A { line += 1 }
        at += 1
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private mutating func next() -> Token? {
        skipBlanks()
        guard at < bytes.count else { return nil }
        let start = line
        if Self.isLetter(byte()) {
            let from = at
            while Self.isLetter(byte()) || Self.isDigit(byte()) { at += 1 }
            return Token(kind: .name(text(from, at)), line: start)
        }
        if byte() == UInt8(ascii: "\"") || byte() == UInt8(ascii: "'") {
            return Token(kind: .text(quoted()), line: start)
        }
        if let level = longBracket() { return Token(kind: .text(long(level)), line: start) }
        let from = at
        if Self.isDigit(byte()) {
            // `1..2` is no number, but no script that compiles has it.
            while Self.isLetter(byte()) || Self.isDigit(byte()) || byte() == UInt8(ascii: ".") {
                at += 1
            }
        } else {
            let pairs = ["..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>"]
            at += pairs.contains(text(at, min(at + 2, bytes.count))) ? 2 : 1
        }
        return Token(kind: .other(text(from, at)), line: start)
    }

    private func text(_ from: Int, _ to: Int) -> String {
        String(decoding: bytes[from..<to], as: UTF8.self)
    }

    private mutating func skipBlanks() {
        while at < bytes.count {
            if byte() == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") {
                at += 2
                if let level = longBracket() {
                    _ = long(level)
                } else {
                    while at < bytes.count, byte() != 0x0A { at += 1 }
                }
            } else if byte() <= 0x20 {
                advance()
            } else {
                return
            }
        }
    }

    /// The number of `=` of a `[==[` that begins here.
    private func longBracket() -> Int? {
        guard byte() == UInt8(ascii: "[") else { return nil }
        var level = 0
        while byte(1 + level) == UInt8(ascii: "=") { level += 1 }
        return byte(1 + level) == UInt8(ascii: "[") ? level : nil
    }

    private mutating func long(_ level: Int) -> String {
        at += level + 2
        let from = at
        let end = Array(("]" + String(repeating: "=", count: level) + "]").utf8)
        while at < bytes.count, !bytes[at...].starts(with: end) { advance() }
        let value = text(from, min(at, bytes.count))
        at += end.count
        return value
    }

    private mutating func quoted() -> String {
        let quote = byte()
        at += 1
        let from = at
        while at < bytes.count, byte() != quote {
            if byte() == UInt8(ascii: "\\") { advance() }
            advance()
        }
        let value = text(from, min(at, bytes.count))
        at += 1
        return value
    }
}
