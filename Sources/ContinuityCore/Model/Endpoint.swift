/// Where something listens: a host and a port, as every file, grant and interface writes it.
/// `db-1.example.org:5432`, `10.0.0.1:5432`, `[fd00::1]:5432`.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; one of IPv6 without brackets, in lower case.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// What is wrong with a text that should be an endpoint, and what to write instead.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package let message: String
        package let remedy: String

        package init(message: String, remedy: String) {
            self.message = message
            self.remedy = remedy
        }

        package var description: String { "\(message); \(remedy)" }
    }

    /// `nil` when the text is none.
    package init?(_ text: String) {
        guard let endpoint = try? Endpoint(parsing: text) else { return nil }
        self = endpoint
    }

    /// - Parameters:
    ///   - defaultPort: the port of a text without one; `nil`: it must name one.
    ///   - portMin: 0 where the system may choose the port.
    package init(
        parsing text: String, defaultPort: Int? = nil, portMin: Int = 1
    ) throws(Fault) {
        let example = "write host:port, for example 10.0.0.1:5432 or [fd00::1]:5432"
        guard !text.isEmpty else { throw Fault(message: "it is empty", remedy: example) }
        if let scheme = text.firstRange(of: "://") {
            let rest = text[scheme.upperBound...].prefix { !"/?#".contains($0) }
            let plain = rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest
            let instead = try? Endpoint(parsing: String(plain), defaultPort: defaultPort)
            throw Fault(
                message: "it is a URL", remedy: instead.map { "write \($0)" } ?? example)
        }
        let (host, port) = try Self.split(text, example)
        guard Self.isHost(host) else {
            throw Fault(message: "'\(host)' is no host name or address", remedy: example)
        }
        self.host = host.contains(":") ? host.lowercased() : host
        guard let port else {
            guard let defaultPort else {
                throw Fault(
                    message: "it has no port", remedy: "write \(Self.text(host, "PORT"))")
            }
            self.port = defaultPort
            return
        }
        guard let number = Self.number(port), (portMin...65_535).contains(number) else {
            throw Fault(
                message: "'\(port)' is no port", remedy: "write a number from \(portMin) to 65535")
        }
        self.port = number
    }

    /// The host, without brackets, and what follows its colon.
    private static func split(
        _ text: String, _ example: String
    ) throws(Fault) -> (host: String, port: String?) {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw Fault(message: "its ']' is missing", remedy: example)
            }
            let host = String(text[text.index(after: text.startIndex)..<end])
            guard isIPv6(host) else {
                throw Fault(message: "'\(host)' is no IPv6 address", remedy: example)
            }
            let rest = text[text.index(after: end)...]
            guard !rest.isEmpty else { return (host, nil) }
            guard rest.hasPrefix(":") else {
                throw Fault(message: "'\(rest)' follows the address", remedy: example)
            }
            return (host, String(rest.dropFirst()))
        }
        let colons = text.utf8.count { $0 == UInt8(ascii: ":") }
        guard colons < 2 else {
            // `fd00::1:5432` is an address of its own: which part is the port cannot be known.
            if isIPv6(text) { return (text, nil) }
            if let colon = text.lastIndex(of: ":"), isIPv6(String(text[..<colon])) {
                let port = text[text.index(after: colon)...]
                throw Fault(
                    message: "an IPv6 address stands without brackets",
                    remedy: "write [\(text[..<colon])]:\(port)")
            }
            throw Fault(
                message: "it has more than one colon and is no IPv6 address", remedy: example)
        }
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private static func number(_ text: String) -> Int? {
        guard (1...5).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }

    // MARK: Hosts

    /// A name by the rules of DNS (underscores are met too), or an address. It never begins with
    /// `-`, which programs would take for an option.
    package static func isHost(_ text: String) -> Bool {
        if text.utf8.contains(UInt8(ascii: ":")) { return isIPv6(text) }
        guard (1...253).contains(text.utf8.count) else { return false }
        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // The root's dot.
        if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                        || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x5F
                }
        }
        guard isName, let last = labels.last else { return false }
        // What ends in a number is an IPv4 address in four parts, or some resolvers' idea of one.
        return last.utf8.allSatisfy { (0x30...0x39).contains($0) } || last.hasPrefix("0x")
            ? isIPv4(text) : true
    }

    package static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && UInt8(part) != nil
                    && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && (part == "0" || !part.hasPrefix("0"))
            }
    }

    /// RFC 4291 section 2.2, without a zone.
    package static func isIPv6(_ text: String) -> Bool {
        var head = text[...]
        var groups = 8
        if let colon = text.lastIndex(of: ":"), text[colon...].contains(".") {
            guard isIPv4(text[text.index(after: colon)...]) else { return false }
            head = text[...colon]
            // The colon of `::1.2.3.4` is a part of the gap.
            if !head.hasSuffix("::") { head = head.dropLast() }
            groups = 6
        }
        func count(_ part: some StringProtocol) -> Int? {
            guard !part.isEmpty else { return 0 }
            let words = part.split(separator: ":", omittingEmptySubsequences: false)
            let isFine = words.allSatisfy { word in
                (1...4).contains(word.utf8.count) && word.allSatisfy { $0.isASCII && $0.isHexDigit }
            }
            return isFine ? words.count : nil
        }
        guard let gap = head.firstRange(of: "::") else { return count(head) == groups }
        guard let before = count(head[..<gap.lowerBound]),
            let after = count(head[gap.upperBound...])
        else { return false }
        return before + after < groups
    }

    private static func text(_ host: String, _ port: String) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    package var description: String { Self.text(host, "\(port)") }

    /// Whether nobody but this machine can reach it. Names other than `localhost` are not looked
    /// up: what they mean can change after the check.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && Self.isIPv4(host))
    }
}

/// The base of an interface over HTTP: scheme, host and port, and nothing more.
package struct BaseURL: Hashable, Sendable, CustomStringConvertible {
    package let isTLS: Bool
    package let endpoint: Endpoint

    package init(parsing text: String) throws(Endpoint.Fault) {
        let example = "write it as http://host:port or https://host:port"
        if text.hasPrefix("https://") {
            isTLS = true
        } else if text.hasPrefix("http://") {
            isTLS = false
        } else {
            throw Endpoint.Fault(
                message: "it does not begin with http:// or https://", remedy: example)
        }
        let rest = text.dropFirst(isTLS ? 8 : 7)
        guard !rest.contains("@") else {
            throw Endpoint.Fault(message: "it holds a user name", remedy: example)
        }
        let authority = rest.prefix { !"/?#".contains($0) }
        guard authority.endIndex == rest.endIndex || rest[authority.endIndex...] == "/" else {
            throw Endpoint.Fault(message: "it has a path", remedy: example)
        }
        guard
            authority.hasPrefix("[") || authority.utf8.count(where: { $0 == UInt8(ascii: ":") }) < 2
        else {
            throw Endpoint.Fault(
                message: "an IPv6 address stands without brackets",
                remedy: "write it as http://[fd00::1]:port")
        }
        endpoint = try Endpoint(parsing: String(authority), defaultPort: isTLS ? 443 : 80)
    }

    /// Without a `/` at its end.
    package var description: String { "\(isTLS ? "https" : "http")://\(endpoint)" }
}
