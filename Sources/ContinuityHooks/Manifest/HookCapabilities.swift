package import ContinuityConfig
package import ContinuityCore
import ContinuityCrypto

/// What a manifest asks for. The operator grants a part of it, or all.
package struct HookCapabilities: Hashable, Sendable {
    package var rules: CapabilityRules

    /// Names of notification channels. `*` stands for whichever the operator grants.
    package var notifyChannels: Set<String> { rules.notifyChannels }

    package init(notifyChannels: Set<String> = []) {
        rules = CapabilityRules()
        rules.notifyChannels = notifyChannels
    }

    init(reading reader: ConfigReader?, kind: HookKind) throws(ConfigError) {
        self.init()
        guard let reader else { return }
        if kind == .policy, let first = reader.keys.first {
            throw reader.error(
                "a policy is pure and can have no capability",
                remedy: "remove 'capabilities', or make it a check or an action", at: first)
        }
        rules = try CapabilityRules(reading: reader, author: .manifest)
    }

    /// One line for each kind of capability, for people.
    package var summary: [String] {
        var lines: [String] = []
        for rule in rules.http {
            lines.append(
                "http: \(rule.methods.sorted().joined(separator: ", ")) "
                    + rule.hosts.joined(separator: ", ") + " "
                    + rule.paths.joined(separator: ", "))
        }
        for rule in rules.dns {
            lines.append(
                "dns: \(rule.types.sorted().joined(separator: ", ")) in "
                    + rule.zones.joined(separator: ", "))
        }
        func list(_ kind: String, _ names: some Sequence<String>) {
            let text = names.sorted().joined(separator: ", ")
            if !text.isEmpty { lines.append("\(kind): \(text)") }
        }
        list("agent", rules.agentCommands)
        list("agent, reading", rules.agentReads)
        list("haproxy", rules.haproxy.flatMap(\.commands))
        list("notify", notifyChannels)
        list("secrets", rules.secrets)
        return lines
    }

    /// Everything that is asked for by name.
    package var fullGrant: HookGrant {
        var grant = HookGrant(rules: rules)
        grant.rules.notifyChannels.remove("*")
        return grant
    }
}

/// What the operator grants to a pack on one cluster.
package struct HookGrant: Hashable, Sendable {
    package var rules: CapabilityRules
    /// SHA-256 over the grant's canonical JSON, in hexadecimal; empty when it stems from no file.
    package var sha256 = ""

    package var notifyChannels: Set<String> { rules.notifyChannels }

    package init(notifyChannels: Set<String> = []) {
        rules = CapabilityRules()
        rules.notifyChannels = notifyChannels
    }

    package init(rules: CapabilityRules) { self.rules = rules }

    private var source: JSONValue?

    /// As the operator wrote it; of a grant that stems from no file, its channels.
    package var json: JSONValue {
        source ?? ["notify": .array(notifyChannels.sorted().map { .string($0) })]
    }

    /// A grant as a policy holds it and the journal keeps it.
    ///
    /// - Throws: `ConfigError`; its line counts within the canonical JSON and so says nothing.
    package init(json: JSONValue) throws(ConfigError) {
        self.init()
        source = json
        let bytes = CanonicalJSON.bytes(json)
        sha256 = hexString(SHA256.digest(bytes))
        guard json.object?.isEmpty == false else { return }
        // JSON is read by the YAML parser: the same strict reader as everywhere.
        rules = try CapabilityRules(
            reading: ConfigReader.parse(
                text: String(decoding: bytes, as: UTF8.self), file: "grant"),
            author: .grant)
    }
}
