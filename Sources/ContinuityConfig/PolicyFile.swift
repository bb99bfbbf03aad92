package import ContinuityCore

/// A failover policy in YAML or JSON, with the field names of DESIGN section 3.
package enum PolicyFile {
    /// - Parameter cluster: The cluster that the policy is to be used for. A policy that names
    ///   another one in `cluster_id` is refused.
    package static func load(
        file: String, for cluster: Cluster
    ) throws(ConfigError) -> FailoverPolicy {
        try read(ConfigReader.load(file: file), for: cluster)
    }

    package static func read(
        _ reader: ConfigReader, for cluster: Cluster
    ) throws(ConfigError) -> FailoverPolicy {
        let id = PolicyID(try reader.string("policy_id"))
        if let named = try reader.optionalString("cluster_id"),
            named != cluster.clusterID.rawValue
        {
            throw reader.error(
                "the policy is for the cluster '\(named)', which is not here (this is "
                    + "'\(cluster.clusterID)')",
                remedy: "correct 'cluster_id', or leave it out", at: "cluster_id")
        }
        let detection = try detection(reader)
        var windows: [FreezeWindow] = []
        for window in try reader.list("freeze_windows") { windows.append(try freeze(window)) }
        var hooks: [HookBinding] = []
        for hook in try reader.list("hooks") { hooks.append(try binding(hook)) }
        var policy = FailoverPolicy(
            policyID: id,
            name: try reader.optionalString("name") ?? id.rawValue,
            strategy: try reader.choice("strategy", default: .automatic),
            maxFailoverTimeS: try reader.int("max_failover_time_s", in: 1...86_400, default: 60),
            requireQuorum: try reader.bool("require_quorum", default: true),
            regionPriority: try reader.strings("region_priority", default: []),
            sitePriority: try reader.strings("site_priority", default: []),
            minHealthyNodes: Int(try reader.int("min_healthy_nodes", in: 0...100_000, default: 1)),
            detection: detection,
            lease: try lease(reader, detection),
            cooldownS: try reader.int("cooldown_s", in: 0...604_800, default: 60),
            freezeWindows: windows,
            rpoS: try reader.int("rpo_s", in: 0...86_400, default: 5),
            rtoS: try reader.int("rto_s", in: 1...86_400, default: 3),
            onServiceFailure: try reader.choice("on_service_failure", default: .failover),
            restartAttempts: Int(try reader.int("restart_attempts", in: 0...16, default: 1)),
            hooks: hooks,
            metadata: try reader.stringMap("metadata"))
        if try reader.optionalString("rejoin") != nil {
            policy.rejoin = try reader.choice("rejoin")
        }
        policy.approvals = try approvals(reader)
        policy.flap = try flap(reader, cooldownS: policy.cooldownS)
        policy.weights = try weights(reader)
        policy.sloGuard = try sloGuard(reader)
        policy.switchover = try switchover(reader, maxFailoverTimeS: policy.maxFailoverTimeS)
        try reader.finish()
        return policy
    }

    private static func detection(_ reader: ConfigReader) throws(ConfigError) -> DetectionSettings {
        guard let section = try reader.optionalMapping("detection") else { return .standard }
        let profile: DetectionSettings.Profile = try section.choice("profile", default: .standard)
        let base = DetectionSettings.settings(for: profile)
        let settings = DetectionSettings(
            intervalMs: try section.int(
                "interval_ms", in: 50...60_000, default: base.intervalMs),
            failureThreshold: try section.int(
                "failure_threshold", in: 2...100, default: base.failureThreshold),
            recoveryThreshold: try section.int(
                "recovery_threshold", in: 1...100, default: base.recoveryThreshold),
            jitterPermille: try section.int(
                "jitter_permille", in: 0...500, default: base.jitterPermille))
        try section.finish()
        return settings
    }

    /// Without the section the defaults hold: nobody fails a cluster over alone.
    private static func approvals(
        _ reader: ConfigReader
    ) throws(ConfigError) -> ApprovalPolicy {
        let base = ApprovalPolicy()
        guard let section = try reader.optionalMapping("approvals") else { return base }
        let people = 0...Int64(ApprovalPolicy.approversMax)
        let settings = ApprovalPolicy(
            failover: Int(
                try section.int("failover", in: people, default: Int64(base.failover))),
            switchover: Int(
                try section.int("switchover", in: people, default: Int64(base.switchover))),
            groups: try section.strings("groups", default: []),
            expiresS: try section.int(
                "expires_s", in: ApprovalPolicy.expiryRangeS, default: base.expiresS))
        try section.finish()
        return settings
    }

    private static func lease(
        _ reader: ConfigReader, _ detection: DetectionSettings
    ) throws(ConfigError) -> LeaseSettings {
        let base = LeaseSettings(detection: detection)
        guard let section = try reader.optionalMapping("lease") else { return base }
        let settings = LeaseSettings(
            durationMs: try section.int(
                "duration_ms", in: 100...LeaseSettings.longestMs, default: base.durationMs),
            marginMs: try section.int("margin_ms", in: 10...60_000, default: base.marginMs))
        guard settings.durationMs >= 2 * detection.intervalMs else {
            throw section.error(
                "a lease of \(settings.durationMs) ms does not outlast two reports "
                    + "(\(detection.intervalMs) ms apart)",
                remedy: "make it at least \(2 * detection.intervalMs) ms", at: "duration_ms")
        }
        try section.finish()
        return settings
    }

    private static func freeze(_ reader: ConfigReader) throws(ConfigError) -> FreezeWindow {
        let window = FreezeWindow(
            fromMs: try time("from", reader), untilMs: try time("until", reader),
            reason: try reader.string("reason"))
        guard window.fromMs < window.untilMs else {
            throw reader.error(
                "the window ends before it begins", remedy: "put 'until' after 'from'",
                at: "until")
        }
        try reader.finish()
        return window
    }

    private static func time(_ key: String, _ reader: ConfigReader) throws(ConfigError) -> Int64 {
        let text = try reader.string(key)
        guard let atMs = RFC3339.utcMs(text) else {
            throw reader.error(
                "'\(key)' is '\(text)', not a time", remedy: RFC3339.remedy, at: key)
        }
        return atMs
    }

    private static func pin(_ reader: ConfigReader) throws(ConfigError) -> String? {
        guard let text = try reader.optionalString("pack_sha256") else { return nil }
        let isHex = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        guard text.utf8.count == 64, isHex else {
            throw reader.error(
                "'pack_sha256' is '\(text)'",
                remedy: "write the 64 hexadecimal digits that 'continuity hooks list' shows",
                at: "pack_sha256")
        }
        return text
    }

    private static func binding(_ reader: ConfigReader) throws(ConfigError) -> HookBinding {
        var rules = CapabilityRules()
        let grant = try reader.json("grant")
        if let section = try reader.optionalMapping("grant") {
            rules = try CapabilityRules(reading: section, author: .grant)
        }
        let configuration = try reader.json("config") ?? .object([:])
        guard case .object(let options) = configuration else {
            throw reader.error(
                "'config' is not a mapping", remedy: "write 'option: value' lines", at: "config")
        }
        let timeoutMs = try reader.optionalInt("timeout_ms", in: 1...600_000)
        var binding = HookBinding(
            stage: try reader.choice("stage"),
            timing: try reader.choice("timing", default: .before),
            pack: try reader.string("pack"),
            timeoutMs: timeoutMs ?? HookBinding.timeoutDefaultMs,
            retries: Int(try reader.int("retries", in: 0...10, default: 0)),
            order: try reader.int("order", in: -1000...1000, default: 0),
            onFailure: try reader.choice("on_failure", default: .abort),
            configuration: options,
            grantedChannels: rules.notifyChannels.sorted(),
            grant: rules.isEmpty ? nil : grant, pinnedSHA256: try pin(reader))
        // What a pack asks for is known once it is there: `serve` fills it in.
        if timeoutMs == nil { binding.followsBudget = true }
        try reader.finish()
        return binding
    }
}
