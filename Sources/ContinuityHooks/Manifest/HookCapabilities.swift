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

    /// A grant as a policy holds it and the journal keeps it.
    ///
    /// - Throws: `ConfigError`; its line counts within the canonical JSON and so says nothing.
    package init(json: JSONValue) throws(ConfigError) {
        self.init()
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
