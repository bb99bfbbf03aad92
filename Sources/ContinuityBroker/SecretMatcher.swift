/// Tells whether a secret stands in what somebody sends back, in whatever spelling an honest
/// program may give it: decoded first, then compared byte by byte, where case, punctuation and line
/// ends do not count. A part of a secret counts from half its letters and digits on.
///
/// Its time is linear in the answer's size: a bounded number of passes over it.
struct SecretMatcher: Sendable {
    /// The least number of letters and digits in a row by which a secret is known.
    static let lettersMin = 8
    /// The most that must stand there before a long secret counts.
    static let lettersMax = 40
    /// How often escapes may be nested in each other (JSON within a URL within JSON).
    static let escapeRounds = 4

    private let names: [String]
    /// Over letters and digits alone, in lower case.
    private let letters: SubstringAutomaton
    /// For secrets with too few of those: whole, byte by byte.
    private let whole: SubstringAutomaton

    init(_ secrets: [String: String]) {
        names = secrets.keys.sorted()
        var letters: [SubstringAutomaton.Pattern] = []
        var whole: [SubstringAutomaton.Pattern] = []
        for (index, name) in names.enumerated() {
            let bytes = Self.lowercased(Array((secrets[name] ?? "").utf8))
            let kept = bytes.filter { !Self.isSkipped($0) }
            if kept.count >= Self.lettersMin {
                let half = (kept.count + 1) / 2
                letters.append(
                    SubstringAutomaton.Pattern(
                        bytes: kept,
                        lengthMin: min(max(half, Self.lettersMin), Self.lettersMax), index: index))
            } else {
                whole.append(
                    SubstringAutomaton.Pattern(bytes: bytes, lengthMin: bytes.count, index: index))
            }
        }
        self.letters = SubstringAutomaton(letters, skipping: Self.isSkipped)
        self.whole = SubstringAutomaton(whole)
    }

    /// Beyond ASCII too: a combining mark or a format character hides nothing.
    private static func isSkipped(_ byte: UInt8) -> Bool {
        !((0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte))
    }

    private static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    /// The name of a secret that stands in `text`, or enough of it.
    func secret(in text: [UInt8]) -> String? {
        guard !names.isEmpty else { return nil }
        return search(text, depth: 0).map { names[$0] }
    }

    /// - Parameter depth: how many times the bytes were written as text in each other (Base64
    ///   within Base64).
    private func search(_ bytes: [UInt8], depth: Int) -> Int? {
        if let found = scan(bytes) { return found }
        var plain = bytes
        for _ in 0..<Self.escapeRounds {
            guard let decoded = TextDecodings.unescaped(plain) else { break }
            plain = decoded
            if let found = scan(plain) { return found }
        }
        if let unquoted = TextDecodings.unquoted(plain) {
            if let found = scan(unquoted) { return found }
            if depth == 0, let found = searchWritten(unquoted, [.base64], depth: depth) {
                return found
            }
        }
        guard depth < 2 else { return nil }
        if depth == 0 {
            if let found = scan(TextDecodings.decimals(plain)) { return found }
            return searchWritten(plain, [.base64, .hexadecimal, .base32], depth: depth)
        }
        return searchWritten(plain, [.base64, .hexadecimal], depth: depth)
    }

    private func searchWritten(
        _ bytes: [UInt8], _ alphabets: [TextDecodings.Alphabet], depth: Int
    ) -> Int? {
        for alphabet in alphabets {
            for decoded in TextDecodings.base(bytes, alphabet) {
                if let found = search(decoded, depth: depth + 1) { return found }
            }
        }
        return nil
    }

    private func scan(_ bytes: [UInt8]) -> Int? {
        let lower = Self.lowercased(bytes)
        return letters.find(in: lower) ?? whole.find(in: lower)
    }
}
