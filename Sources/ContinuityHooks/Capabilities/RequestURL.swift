/// An URL taken apart strictly. What does not fit is refused, and what is sent is put together
/// again from the parts, so that this check and the HTTP client cannot read it differently.
package struct RequestURL: Hashable, Sendable {
    package let isTLS: Bool
    /// Lower case; an IPv6 address stands in brackets.
    package let host: String
    package let port: Int
    /// Begins with `/`.
    package let path: String
    /// With its `?`, or empty.
    package let query: String

    package init?(_ text: String) {
        guard text.utf8.count <= 8192, let scheme = text.firstRange(of: "://") else { return nil }
        switch text[..<scheme.lowerBound].lowercased() {
        case "https": isTLS = true
        case "http": isTLS = false
        default: return nil
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let (host, port) = Self.authority(authority, isTLS ? 443 : 80) else { return nil }
        self.host = host
        self.port = port
        let target = rest[authority.endIndex...]
        guard Self.isTarget(target) else { return nil }
        let path = target.prefix { $0 != "?" }
        self.path = path.isEmpty ? "/" : String(path)
        query = String(target[path.endIndex...])
        guard Self.isPlain(self.path) else { return nil }
    }

    package var origin: String { "\(isTLS ? "https" : "http")://\(host):\(port)" }
    package var text: String {
        let isDefault = port == (isTLS ? 443 : 80)
        return "\(isTLS ? "https" : "http")://\(host)\(isDefault ? "" : ":\(port)")\(path)\(query)"
    }

    private static func authority(_ text: Substring, _ fallback: Int) -> (String, Int)? {
        var host = text
        var port = fallback
        let colon = text.lastIndex(of: ":")
        let bracket = text.lastIndex(of: "]")
        if let colon, bracket.map({ $0 < colon }) ?? true {
            let digits = text[text.index(after: colon)...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(digits), (1...65_535).contains(number)
            else { return nil }
            host = text[..<colon]
            port = number
        }
        let lower = host.lowercased()
        guard lower.first != "[" else {
            guard lower.last == "]",
                lower.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." })
            else { return nil }
            return (lower, port)
        }
        let isName =
            !lower.isEmpty && lower.utf8.count <= 253
            && lower.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
                    || byte == 0x2E || byte == 0x5F
            }
        return isName ? (lower, port) : nil
    }

    /// Printable ASCII without what parsers quarrel about.
    private static func isTarget(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\\#<>\"^`{|}".utf8.contains($0) }
    }

    /// No dot segments and no encoded separators, which would lead out of a granted path.
    private static func isPlain(_ path: String) -> Bool {
        let lower = path.lowercased()
        guard !lower.contains("%2e"), !lower.contains("%2f"), !lower.contains("%5c"),
            !lower.contains("//")
        else { return false }
        return !lower.split(separator: "/").contains { $0 == "." || $0 == ".." }
    }
}
