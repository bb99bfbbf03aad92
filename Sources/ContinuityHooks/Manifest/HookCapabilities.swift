import ContinuityConfig

/// What a manifest asks for. The operator grants a part of it, or all.
package struct HookCapabilities: Hashable, Sendable {
    /// Names of notification channels. `*` stands for whichever the operator grants.
    package var notifyChannels: Set<String>

    package init(notifyChannels: Set<String> = []) {
        self.notifyChannels = notifyChannels
    }

    init(reading reader: ConfigReader?, kind: HookKind) throws(ConfigError) {
        self.init()
        guard let reader else { return }
        for later in ["http", "dns", "agent", "secrets"] where reader.keys.contains(later) {
            throw reader.error(
                "the capability '\(later)' is not available yet",
                remedy: "remove it; this version offers: notify", at: later)
        }
        if let notify = try reader.optionalMapping("notify") {
            guard kind != .policy else {
                throw reader.error(
                    "a policy is pure and can have no capability",
                    remedy: "remove 'capabilities', or make it a check or an action", at: "notify")
            }
            let channels = try notify.strings("channels")
            guard !channels.isEmpty, !channels.contains("") else {
                throw notify.error(
                    "'capabilities.notify.channels' names no channel",
                    remedy: "name the channels, or write [\"*\"] for those the operator grants",
                    at: "channels")
            }
            notifyChannels = Set(channels)
            try notify.finish()
        }
        try reader.finish()
    }

    /// One line for each kind of capability, for people.
    package var summary: [String] {
        notifyChannels.isEmpty
            ? [] : ["notify: " + notifyChannels.sorted().joined(separator: ", ")]
    }

    /// Everything that is asked for by name.
    package var fullGrant: HookGrant {
        HookGrant(notifyChannels: notifyChannels.subtracting(["*"]))
    }
}

/// What the operator grants to a pack on one cluster.
package struct HookGrant: Hashable, Sendable {
    package var notifyChannels: Set<String>

    package init(notifyChannels: Set<String> = []) {
        self.notifyChannels = notifyChannels
    }
}
