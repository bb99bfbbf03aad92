import ContinuityCore

/// What a text may look like. The regular expression of the document and the check of the server
/// come from the same declaration, so they cannot disagree.
package struct TextRule: Sendable {
    /// One stretch of a text.
    enum Part: Sendable {
        case literal(String)
        /// As many characters of the set as there are.
        case characters(CharacterRule, ClosedRange<Int>)
    }

    /// In Unicode code points, as JSON Schema counts.
    var length: ClosedRange<Int>
    /// The whole text, part by part; empty: any text. Parts that follow each other must begin with
    /// different characters, or have one length.
    var parts: [Part] = []
    var format: String?
    /// What `format` means to the server, beyond the parts.
    var isOfFormat: (@Sendable (String) -> Bool)?

    func accepts(_ text: String) -> Bool {
        guard length.contains(text.unicodeScalars.count) else { return false }
        if let isOfFormat, !isOfFormat(text) { return false }
        guard !parts.isEmpty else { return true }
        var rest = text.unicodeScalars[...]
        for part in parts {
            switch part {
            case .literal(let literal):
                guard rest.starts(with: literal.unicodeScalars) else { return false }
                rest = rest.dropFirst(literal.unicodeScalars.count)
            case .characters(let rule, let times):
                let taken = rest.prefix(times.upperBound).prefix { rule.contains($0) }
                guard taken.count >= times.lowerBound else { return false }
                rest = rest.dropFirst(taken.count)
            }
        }
        return rest.isEmpty
    }

    /// After ECMA-262; `nil`: any text.
    var pattern: String? {
        guard !parts.isEmpty else { return nil }
        let body = parts.map { part in
            switch part {
            case .literal(let literal): literal
            case .characters(let rule, let times): rule.pattern + Self.times(times)
            }
        }
        return "^" + body.joined() + "$"
    }

    private static func times(_ times: ClosedRange<Int>) -> String {
        switch (times.lowerBound, times.upperBound) {
        case (1, 1): ""
        case (0, .max): "*"
        case (1, .max): "+"
        case (let low, let high) where low == high: "{\(low)}"
        case (let low, let high): "{\(low),\(high)}"
        }
    }

    var json: JSONValue {
        var members: [String: JSONValue] = ["type": "string"]
        if length.lowerBound > 0 { members["minLength"] = .int(Int64(length.lowerBound)) }
        if length.upperBound < .max { members["maxLength"] = .int(Int64(length.upperBound)) }
        if let pattern { members["pattern"] = .string(pattern) }
        if let format { members["format"] = .string(format) }
        return .object(members)
    }

    /// For people: what is wrong with a text that is not accepted.
    var wish: String {
        if let format { return "must be of the format '\(format)'" }
        var wish =
            length.upperBound < .max
            ? "must have \(length.lowerBound) to \(length.upperBound) characters"
            : "must have at least \(length.lowerBound) characters"
        if let pattern { wish += ", and match \(pattern)" }
        return wish
    }
}

/// A set of characters.
package struct CharacterRule: Sendable {
    var ranges: [ClosedRange<UInt32>]
    /// All but those of the ranges.
    var isNegated = false

    init(_ text: String) {
        ranges = text.unicodeScalars.map { $0.value...$0.value }
    }

    init(_ ranges: [ClosedRange<UInt32>], isNegated: Bool = false) {
        self.ranges = ranges
        self.isNegated = isNegated
    }

    static func + (left: Self, right: Self) -> Self { Self(left.ranges + right.ranges) }

    static let lowercase = Self([0x61...0x7A])
    static let digits = Self([0x30...0x39])
    static let hex = Self([0x30...0x39, 0x61...0x66])
    static let alphanumeric = Self([0x30...0x39, 0x41...0x5A, 0x61...0x7A])
    /// Nothing that changes how a terminal or a log shows what stands around it: no control
    /// characters, no line ends, and none that turn the direction of writing.
    private static let unseen: [ClosedRange<UInt32>] = [
        0x00...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069,
    ]
    static let shown = Self(unseen, isNegated: true)
    /// The same, and no blank.
    static let visible = Self(unseen + [0x20...0x20, 0xA0...0xA0], isNegated: true)
    static let visibleASCII = Self([0x21...0x7E])

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }

    var pattern: String {
        let body = ranges.map { range in
            range.count == 1
                ? Self.escaped(range.lowerBound)
                : Self.escaped(range.lowerBound) + "-" + Self.escaped(range.upperBound)
        }
        return "[\(isNegated ? "^" : "")\(body.joined())]"
    }

    private static func escaped(_ value: UInt32) -> String {
        if let scalar = Unicode.Scalar(value), alphanumeric.contains(scalar) {
            return String(scalar)
        }
        let hex = String(value, radix: 16)
        return "\\u" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    }
}
