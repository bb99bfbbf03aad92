package import ContinuityCore

/// `brake: {max_failovers: 5, window_s: 600}` in the server's configuration.
package enum BrakeSection {
    /// - Throws: ``ConfigError`` with the line of the first mistake.
    package static func read(_ reader: ConfigReader) throws(ConfigError) -> BrakeSettings {
        guard let section = try reader.optionalMapping("brake") else { return BrakeSettings() }
        let settings = BrakeSettings(
            maxFailovers: Int(
                try section.int(
                    "max_failovers", in: 1...100_000,
                    default: Int64(BrakeSettings.maxFailoversDefault))),
            windowS: try section.int(
                "window_s", in: 1...604_800, default: BrakeSettings.windowDefaultS))
        try section.finish()
        return settings
    }
}
