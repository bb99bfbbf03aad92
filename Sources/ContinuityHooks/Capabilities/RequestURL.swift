import ContinuityCore

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
        // Numbers that some resolvers take for an address (`127.1`, `0x7f000001`) are no host.
        guard lower.first == "[" else {
            return lower.contains(":") || !Endpoint.isHost(lower) ? nil : (lower, port)
        }
        guard lower.last == "]", Endpoint.isIPv6(String(lower.dropFirst().dropLast())) else {
            return nil
        }
        return (lower, port)
    }

    /// Printable ASCII without what parsers quarrel about.
    private static func isTarget(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\\#<>\"^`{|}".utf8.contains($0) }
    }

    /// No segment that a server might read as `.` or `..` or as two segments, in whatever way it
    /// decodes: encoded once or more often, with parameters (`..;x`), blanks or a NUL behind it, in
    /// overlong UTF-8, or with letters that are normalised to dots and slashes.
    private static func isPlain(_ path: String) -> Bool {
        guard !path.contains("//") else { return false }
        return path.split(separator: "/").allSatisfy { segment in
            guard let text = decoded(segment) else { return false }
            let isWhole = text.unicodeScalars.allSatisfy { scalar in
                !lookAlikes.contains(scalar) && scalar.properties.generalCategory != .control
            }
            let name = text.prefix { $0 != ";" }.drop { $0 == " " }
            let bare = name.reversed().drop { $0 == " " }
            return isWhole && !text.contains("/") && !text.contains("\\")
                && !(bare.count < 3 && !bare.isEmpty && bare.allSatisfy { $0 == "." })
                && !(bare.isEmpty && !text.isEmpty)
        }
    }

    /// One and two dots, and slashes, in forms that compatibility normalisation makes plain.
    private static let lookAlikes: Set<Unicode.Scalar> = [
        "\u{2024}", "\u{2025}", "\u{2215}", "\u{2044}", "\u{FE52}", "\u{FE68}", "\u{FF0E}",
        "\u{FF0F}", "\u{FF3C}",
    ]

    /// Decoded until nothing is encoded any more; `nil`: it is not well-formed.
    private static func decoded(_ segment: Substring) -> String? {
        var bytes = Array(segment.utf8)
        while bytes.contains(UInt8(ascii: "%")) {
            var output: [UInt8] = []
            var at = 0
            while at < bytes.count {
                guard bytes[at] == UInt8(ascii: "%") else {
                    output.append(bytes[at])
                    at += 1
                    continue
                }
                guard at + 2 < bytes.count, let high = digit(bytes[at + 1]),
                    let low = digit(bytes[at + 2])
                else { return nil }
                output.append(high << 4 | low)
                at += 3
            }
            bytes = output
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
