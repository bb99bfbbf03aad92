import ContinuityConfig
import ContinuityCore

/// Brings a call that came from a worker into the one form that the broker and the journal see,
/// and checks everything about it that needs no grant.
enum CallCheck {
    static func normalised(
        _ operation: CapabilityOperation, _ positional: JSONValue
    ) -> Result<(name: String, arguments: JSONValue), CallProblem> {
        let arguments: JSONValue
        switch operation.named(positional) {
        case .failure(let problem): return .failure(problem)
        case .success(let named): arguments = named
        }
        let flat = flattened(operation.name, arguments)
        if let problem = problem(flat.name, flat.arguments) {
            return .failure(CallProblem("\(operation.name): \(problem)"))
        }
        return .success(flat)
    }

    private static func flattened(
        _ name: String, _ arguments: JSONValue
    ) -> (name: String, arguments: JSONValue) {
        func merged(_ options: String, _ defaults: [String: JSONValue] = [:]) -> JSONValue {
            var members = arguments.object ?? [:]
            let inner = members.removeValue(forKey: options)?.object ?? [:]
            return .object(
                defaults.merging(members) { $1 }.merging(inner.filter { $0.value != .null }) { $1 })
        }
        switch name {
        case "http.request": return (name, arguments["request"] ?? [:])
        case _ where name.hasPrefix("http."):
            let method = name.dropFirst("http.".count).uppercased()
            return ("http.request", merged("options", ["method": .string(method)]))
        case "dns.update": return (name, arguments["update"] ?? [:])
        case "agent.command", "agent.read": return (name, merged("options"))
        case "notify": return (name, merged("message", ["severity": "info", "data": [:]]))
        default: return (name, arguments)
        }
    }

    private static func problem(_ name: String, _ arguments: JSONValue) -> String? {
        switch name {
        case "http.request": return httpProblem(arguments)
        case "dns.lookup", "dns.update": return DNSText.problem(arguments)
        case "agent.command":
            let command = arguments["command"]?.string ?? ""
            guard CapabilityRules.isAgentCommand(command) else {
                return "'command' is '\(command)', which no hook can give"
            }
            return timeProblem(arguments)
        case "agent.read":
            guard AgentCommand.isProgramName(arguments["name"]?.string ?? "") else {
                return "'name' must name a reading of the agents' own configuration"
            }
            return timeProblem(arguments)
        case "haproxy.command":
            let command = arguments["command"]?.string ?? ""
            let isPlain = command.utf8.allSatisfy {
                $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: "\\")
            }
            return isPlain && command.utf8.count <= 1024
                ? nil : "'command' must be one line of plain text without ';' and '\\'"
        default: return nil
        }
    }

    private static func timeProblem(_ arguments: JSONValue) -> String? {
        guard let ms = arguments["timeout_ms"]?.int else { return nil }
        return (1...30_000).contains(ms) ? nil : "'timeout_ms' must be from 1 to 30000"
    }

    /// What the HTTP client sets, and what would have an answer come in parts or encoded, so that a
    /// secret in it would not be seen.
    private static let brokersHeaders: Set<String> = [
        "accept-encoding", "connection", "content-length", "expect", "host", "if-range", "range",
        "te", "trailer", "transfer-encoding", "upgrade",
    ]

    private static func httpProblem(_ arguments: JSONValue) -> String? {
        guard let template = TextTemplate(arguments["url"] ?? .null), template.namesOrigin,
            RequestURL(template.render { _ in "x" }) != nil
        else {
            return "'url' must be a plain absolute http or https URL, without user, fragment, "
                + "dot segments or encoded slashes, and with its host before any secret"
        }
        if arguments["body"] != nil, arguments["json"] != nil {
            return "give 'body' or 'json', not both"
        }
        for name in arguments["headers"]?.object?.keys.sorted() ?? []
        where Self.brokersHeaders.contains(name.lowercased()) {
            return "the header '\(name)' is not for a hook to set"
        }
        return timeProblem(arguments)
    }
}

/// What may stand in an update of DNS. It is handed to nsupdate as lines of text, so nothing that
/// could end a line or a word gets through.
enum DNSText {
    static func problem(_ arguments: JSONValue) -> String? {
        for key in ["zone", "name"] {
            guard let text = arguments[key]?.string else { continue }
            if !isName(text) { return "'\(key)' is no host name" }
        }
        if let ttl = arguments["ttl"]?.int, !(0...604_800).contains(ttl) {
            return "'ttl' must be from 0 to 604800"
        }
        let type = arguments["type"]?.string ?? ""
        for data in texts(arguments["data"]) where !isData(data, of: type) {
            return "'data' holds what is no \(type) record"
        }
        for prerequisite in arguments["prerequisites"]?.array ?? [] {
            guard let name = prerequisite["name"]?.string, isName(name) else {
                return "a prerequisite's 'name' is no host name"
            }
            let data = texts(prerequisite["data"])
            guard !data.isEmpty else { continue }
            guard let type = prerequisite["type"]?.string,
                prerequisite["exists"]?.bool != false, data.allSatisfy({ isData($0, of: type) })
            else { return "a prerequisite's 'data' does not fit its 'type'" }
        }
        return nil
    }

    private static func texts(_ value: JSONValue?) -> [String] {
        value?.array?.compactMap(\.string) ?? []
    }

    static func isName(_ text: String) -> Bool {
        let name = DNSRule.canonical(text)
        return !name.isEmpty && name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-"
                    && label.utf8.allSatisfy { byte in
                        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
                            || byte == 0x2D || byte == 0x5F
                    }
            }
    }

    private static func isData(_ text: String, of type: String) -> Bool {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        switch type {
        case "A":
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts.allSatisfy { isNumber($0, most: 255) }
        case "AAAA":
            return text.contains(":") && text.utf8.count <= 45
                && text.allSatisfy { $0.isASCII && ($0.isHexDigit || $0 == ":" || $0 == ".") }
        case "CNAME": return isName(text)
        case "SRV":
            return words.count == 4 && words[..<3].allSatisfy { isNumber($0, most: 65_535) }
                && isName(String(words[3]))
        case "TXT":
            return text.utf8.count <= 255
                && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
        default: return false
        }
    }

    private static func isNumber(_ text: Substring, most: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= 5
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (Int(text) ?? .max) <= most
    }
}
