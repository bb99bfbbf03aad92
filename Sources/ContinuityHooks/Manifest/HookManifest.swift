package import ContinuityConfig
package import ContinuityCore

/// `hook.yaml`: what a pack is, what it asks for, and what it may use. Read strictly.
package struct HookManifest: Hashable, Sendable {
    package static let apiVersion = "hooks/v1"

    package var name: String
    package var version: String
    package var kind: HookKind
    package var stages: [Stage]
    package var description: String
    package var config: HookConfigSchema
    package var capabilities: HookCapabilities
    package var budgets: HookBudgets
    /// Whether a call whose result is unknown may be made again.
    package var repeatable: Bool
    package var drill: DrillBehaviour

    /// - Throws: `ConfigError` with file and line for the first mistake, as a budget above `ceiling`.
    package init(
        text: String, file: String, ceiling: HookBudgets = .maximum
    ) throws(ConfigError) {
        let reader = try ConfigReader.parse(text: text, file: file)
        let api = try reader.string("api")
        guard api == Self.apiVersion else {
            throw reader.error(
                "'api' is '\(api)'", remedy: "this version speaks '\(Self.apiVersion)'", at: "api")
        }
        name = try reader.string("name")
        guard Self.isName(name) else {
            throw reader.error(
                "'name' is '\(name)'",
                remedy: "use 1 to 64 lower-case letters, digits and hyphens", at: "name")
        }
        version = try reader.string("version")
        kind = try reader.choice("kind")
        stages = try Self.stages(reader, kind: kind)
        description = try reader.optionalString("description") ?? ""
        config = try HookConfigSchema(reading: reader.optionalMapping("config"))
        capabilities = try HookCapabilities(
            reading: reader.optionalMapping("capabilities"), kind: kind)
        budgets = try HookBudgets(
            reading: reader.optionalMapping("budgets"), ceiling: ceiling)
        repeatable = try reader.bool("repeatable", default: kind != .action)
        drill = try reader.choice("drill", default: .run)
        try reader.finish()
    }

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-")
            }
    }

    private static func stages(
        _ reader: ConfigReader, kind: HookKind
    ) throws(ConfigError) -> [Stage] {
        var stages: [Stage] = []
        for text in try reader.strings("stages") {
            guard let stage = Stage(rawValue: text) else {
                let known = Stage.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.error(
                    "'stages' names '\(text)'", remedy: "stages are: \(known)", at: "stages")
            }
            guard kind.fits(stage) else {
                throw reader.error(
                    "kind '\(kind.rawValue)' cannot stand at '\(text)'",
                    remedy: kind == .policy
                        ? "policies stand at admit alone" : "only policies stand at admit",
                    at: "stages")
            }
            guard !stages.contains(stage) else {
                throw reader.error(
                    "'stages' names '\(text)' twice", remedy: "remove one", at: "stages")
            }
            stages.append(stage)
        }
        guard !stages.isEmpty else {
            throw reader.error("'stages' is empty", remedy: "name at least one", at: "stages")
        }
        return stages
    }
}
