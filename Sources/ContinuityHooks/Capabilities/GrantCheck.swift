package import ContinuityConfig
package import ContinuityCore

/// What a call is allowed to use: the rules of the grant that it falls under.
package struct CallPermission: Hashable, Sendable {
    package var http: HTTPRule?
    package var dns: DNSRule?
    package var haproxy: HAProxyRule?

    package init(http: HTTPRule? = nil, dns: DNSRule? = nil, haproxy: HAProxyRule? = nil) {
        self.http = http
        self.dns = dns
        self.haproxy = haproxy
    }
}

/// Whether a call is both asked for by the manifest and granted by the operator.
package struct GrantCheck: Hashable, Sendable {
    package let pack: String
    package let requested: CapabilityRules
    package let granted: CapabilityRules

    package init(pack: String, requested: CapabilityRules, granted: CapabilityRules) {
        self.pack = pack
        self.requested = requested
        self.granted = granted
    }

    typealias Verdict = Result<CallPermission, CallProblem>

    /// - Parameter arguments: checked and named, see ``CapabilityOperation``.
    func permission(_ name: String, _ arguments: JSONValue) -> Result<CallPermission, CallProblem> {
        for secret in SecretReference.names(in: arguments).sorted() {
            if let problem = permits(secret: secret) { return .failure(problem) }
        }
        switch name {
        case "http.request":
            guard let template = TextTemplate(arguments["url"] ?? .null), template.namesOrigin,
                let url = RequestURL(template.render { _ in "x" })
            else { return .success(CallPermission()) }
            return http(method: arguments["method"]?.string ?? "", url).map {
                CallPermission(http: $0)
            }
        case "dns.lookup", "dns.update": return dns(arguments)
        case "agent.command":
            return agent(arguments, "command", requested.agentCommands, granted.agentCommands)
        case "agent.read":
            return agent(arguments, "name", requested.agentReads, granted.agentReads)
        case "haproxy.command": return haproxy(arguments)
        case "notify":
            let channel = arguments["channel"]?.string ?? ""
            guard granted.notifyChannels.contains(channel),
                requested.notifyChannels.contains(channel) || requested.notifyChannels.contains("*")
            else { return denied("the channel '\(channel)'") }
        case "secret":
            if let problem = permits(secret: arguments["name"]?.string ?? "") {
                return .failure(problem)
            }
        default: break
        }
        return .success(CallPermission())
    }

    private func denied<Value>(_ what: String) -> Result<Value, CallProblem> {
        .failure(CallProblem("\(what) is not granted to '\(pack)'"))
    }

    private func agent(
        _ arguments: JSONValue, _ key: String, _ requested: Set<String>, _ granted: Set<String>
    ) -> Verdict {
        let command = arguments[key]?.string ?? ""
        guard requested.contains(command), granted.contains(command) else {
            return denied("the agent command '\(command)'")
        }
        let node = arguments["node_id"]?.string ?? ""
        let nodes = self.granted.agentNodes
        guard nodes.isEmpty || nodes.contains(node) else {
            return denied("a command to the agent of '\(node)'")
        }
        return .success(CallPermission())
    }

    private func permits(secret: String) -> CallProblem? {
        guard granted.secrets.contains(secret),
            requested.secrets.contains(secret) || requested.secrets.contains("*")
        else { return CallProblem("the secret '\(secret)' is not granted to '\(pack)'") }
        return nil
    }

    // MARK: http

    /// Also for each hop of a redirect.
    package func http(method: String, _ url: RequestURL) -> Result<HTTPRule, CallProblem> {
        func matches(_ rule: HTTPRule) -> Bool {
            rule.methods.contains(method) && rule.hosts.contains { Self.host($0, url) }
                && rule.paths.contains { Self.path($0, url.path) }
        }
        // The path may hold a secret: it is not named.
        let what = "\(method) to this path of \(url.origin)"
        guard requested.http.contains(where: matches) else {
            return denied("\(what), which its manifest does not ask for,")
        }
        guard let rule = granted.http.first(where: matches) else { return denied(what) }
        return .success(rule)
    }

    private static func host(_ pattern: String, _ url: RequestURL) -> Bool {
        if pattern == "*" { return true }
        var text = pattern[...]
        var isTLS = true
        if text.hasPrefix("http://") {
            isTLS = false
            text = text.dropFirst(7)
        } else if text.hasPrefix("https://") {
            text = text.dropFirst(8)
        }
        guard isTLS == url.isTLS else { return false }
        if text.hasPrefix("*.") {
            let suffix = text.dropFirst(1)
            let (name, port) = split(suffix, isTLS)
            return port == url.port && url.host.hasSuffix(name)
        }
        let (name, port) = split(text, isTLS)
        return port == url.port && name == url.host
    }

    private static func split(_ text: Substring, _ isTLS: Bool) -> (String, Int) {
        let fallback = isTLS ? 443 : 80
        guard let colon = text.lastIndex(of: ":"),
            text.lastIndex(of: "]").map({ $0 < colon }) ?? true,
            let port = Int(text[text.index(after: colon)...])
        else { return (String(text), fallback) }
        return (String(text[..<colon]), port)
    }

    private static func path(_ pattern: String, _ path: String) -> Bool {
        pattern.hasSuffix("*") ? path.hasPrefix(pattern.dropLast()) : path == pattern
    }

    // MARK: dns

    private func dns(_ arguments: JSONValue) -> Verdict {
        let name = DNSRule.canonical(arguments["name"]?.string ?? "")
        let type = arguments["type"]?.string ?? ""
        let zone = arguments["zone"]?.string.map(DNSRule.canonical)
        func matches(_ rule: DNSRule) -> Bool {
            guard rule.types.contains(type),
                rule.records.contains("*") || rule.records.contains(name)
            else { return false }
            return rule.zones.contains { candidate in
                candidate == "*"
                    || ((zone == nil || zone == candidate) && Self.stands(name, in: candidate))
            }
        }
        guard requested.dns.contains(where: matches), let rule = granted.dns.first(where: matches)
        else { return denied("\(type) of \(name)") }
        for prerequisite in arguments["prerequisites"]?.array ?? [] {
            let other = DNSRule.canonical(prerequisite["name"]?.string ?? "")
            guard let zone, Self.stands(other, in: zone) else {
                return denied("a prerequisite on \(other), outside the zone,")
            }
        }
        return .success(CallPermission(dns: rule))
    }

    private static func stands(_ name: String, in zone: String) -> Bool {
        name == zone || name.hasSuffix("." + zone)
    }

    // MARK: haproxy

    private func haproxy(_ arguments: JSONValue) -> Verdict {
        let address = arguments["address"]?.string ?? ""
        let words = (arguments["command"]?.string ?? "").split(separator: " ")
        func matches(_ rule: HAProxyRule) -> Bool {
            rule.commands.contains { words.starts(with: $0.split(separator: " ")) }
        }
        guard requested.haproxy.contains(where: matches),
            let rule = granted.haproxy.first(where: { $0.address == address && matches($0) })
        else {
            return denied("the HAProxy command '\(words.prefix(2).joined(separator: " "))'")
        }
        return .success(CallPermission(haproxy: rule))
    }
}

/// A text that may hold secrets.
package struct TextTemplate: Hashable, Sendable {
    private let parts: [JSONValue]

    package init?(_ value: JSONValue) {
        parts = value.array ?? [value]
        guard !parts.isEmpty,
            parts.allSatisfy({ $0.string != nil || SecretReference($0) != nil })
        else { return nil }
    }

    /// Whether scheme, host and port stand in the first part as they are: a secret cannot decide
    /// where a request goes.
    var namesOrigin: Bool {
        guard let first = parts.first?.string, let scheme = first.firstRange(of: "://") else {
            return false
        }
        return parts.count == 1 || first[scheme.upperBound...].contains("/")
    }

    package func render<Failure: Error>(
        _ secret: (String) throws(Failure) -> String
    ) throws(Failure) -> String {
        var text = ""
        for part in parts {
            if let reference = SecretReference(part) {
                text += try secret(reference.name)
            } else {
                text += part.string ?? ""
            }
        }
        return text
    }
}
