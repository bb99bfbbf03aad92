import ContinuityCore

/// The sections of a policy that slow moves down.
extension PolicyFile {
    static func flap(
        _ reader: ConfigReader, cooldownS: Int64
    ) throws(ConfigError) -> FlapSettings? {
        guard let section = try reader.optionalMapping("flap") else { return nil }
        let base = FlapSettings()
        let settings = FlapSettings(
            windowS: try section.int("window_s", in: 0...604_800, default: base.windowS),
            cooldownMaxS: try section.int(
                "cooldown_max_s", in: 0...604_800, default: max(base.cooldownMaxS, cooldownS)))
        guard settings.cooldownMaxS >= cooldownS else {
            throw section.error(
                "'flap.cooldown_max_s' is \(settings.cooldownMaxS), less than cooldown_s (\(cooldownS))",
                remedy: "make it at least \(cooldownS)", at: "cooldown_max_s")
        }
        try section.finish()
        return settings
    }

    static func weights(_ reader: ConfigReader) throws(ConfigError) -> WeightSettings? {
        guard let section = try reader.optionalMapping("weights") else { return nil }
        let base = WeightSettings()
        let settings = WeightSettings(
            returnStepPermille: try section.int(
                "return_step_permille", in: 1...1000, default: base.returnStepPermille),
            returnIntervalS: try section.int(
                "return_interval_s", in: 0...86_400, default: base.returnIntervalS),
            onCapacityExceeded: try section.choice(
                "on_capacity_exceeded", default: base.onCapacityExceeded))
        try section.finish()
        return settings
    }

    static func switchover(
        _ reader: ConfigReader, maxFailoverTimeS: Int64
    ) throws(ConfigError) -> HandoverSettings? {
        guard let section = try reader.optionalMapping("switchover") else { return nil }
        let base = HandoverSettings()
        let settings = HandoverSettings(
            demoteTimeoutMs: try section.int(
                "demote_timeout_ms", in: HandoverSettings.demoteTimeoutRangeMs,
                default: base.demoteTimeoutMs),
            onDemoteTimeout: try section.choice(
                "on_demote_timeout", default: base.onDemoteTimeout),
            onHindrance: try section.choice("on_hindrance", default: base.onHindrance))
        guard settings.demoteTimeoutMs < maxFailoverTimeS * 1000 else {
            throw section.error(
                "'switchover.demote_timeout_ms' is \(settings.demoteTimeoutMs), not less than "
                    + "max_failover_time_s (\(maxFailoverTimeS) s)",
                remedy: "shorten it, or raise max_failover_time_s", at: "demote_timeout_ms")
        }
        try section.finish()
        return settings
    }

    static func sloGuard(_ reader: ConfigReader) throws(ConfigError) -> SLOGuard? {
        guard let section = try reader.optionalMapping("slo_guard") else { return nil }
        let settings = SLOGuard(
            budgetS: try section.int("budget_s", in: 0...31_536_000),
            windowS: try section.int("window_s", in: 60...31_536_000, default: 2_592_000))
        guard settings.budgetS < settings.windowS else {
            throw section.error(
                "'slo_guard.budget_s' is not less than its window of \(settings.windowS) s",
                remedy: "write what the service may be away within the window", at: "budget_s")
        }
        try section.finish()
        return settings
    }
}
