import ContinuityConfig
package import ContinuityCore

/// The options that a hook takes from the operator, and their checking.
package struct HookConfigSchema: Hashable, Sendable {
    package enum OptionType: String, Codable, Hashable, Sendable, CaseIterable {
        case string, integer, boolean, strings

        func accepts(_ value: JSONValue) -> Bool {
            switch (self, value) {
            case (.string, .string), (.integer, .int), (.boolean, .bool): true
            case (.strings, .array(let elements)): elements.allSatisfy { $0.string != nil }
            default: false
            }
        }
    }

    package struct Option: Hashable, Sendable {
        package var type: OptionType
        package var isRequired: Bool
        package var fallback: JSONValue?
        package var description: String
    }

    package var options: [String: Option]

    package init(options: [String: Option] = [:]) { self.options = options }

    init(reading reader: ConfigReader?) throws(ConfigError) {
        self.init()
        guard let reader else { return }
        for name in reader.keys {
            let section = try reader.mapping(name)
            let option = Option(
                type: try section.choice("type"),
                isRequired: try section.bool("required", default: false),
                fallback: try section.json("default"),
                description: try section.optionalString("description") ?? "")
            try section.finish()
            if let fallback = option.fallback {
                guard option.type.accepts(fallback) else {
                    throw section.error(
                        "the default of '\(name)' is not of type \(option.type.rawValue)",
                        remedy: "correct the default or the type", at: "default")
                }
                guard !option.isRequired else {
                    throw section.error(
                        "'\(name)' is required and has a default",
                        remedy: "remove one of the two", at: "required")
                }
            }
            options[name] = option
        }
    }

    /// The configuration as the script sees it: checked, with defaults filled in.
    package func resolve(
        _ given: [String: JSONValue]
    ) throws(HookConfigProblem) -> [String: JSONValue] {
        var resolved: [String: JSONValue] = [:]
        for (name, value) in given.sorted(by: { $0.key < $1.key }) {
            guard let option = options[name] else {
                let known = options.keys.sorted().joined(separator: ", ")
                throw HookConfigProblem(
                    option: name,
                    message: "unknown option '\(name)'; known: \(known.isEmpty ? "none" : known)")
            }
            if value == .null { continue }
            guard option.type.accepts(value) else {
                throw HookConfigProblem(
                    option: name, message: "'\(name)' must be of type \(option.type.rawValue)")
            }
            resolved[name] = value
        }
        for (name, option) in options.sorted(by: { $0.key < $1.key }) where resolved[name] == nil {
            guard !option.isRequired else {
                throw HookConfigProblem(option: name, message: "'\(name)' is missing")
            }
            resolved[name] = option.fallback
        }
        return resolved
    }
}

/// A configuration that does not fit a hook's schema.
package struct HookConfigProblem: Error, Equatable, CustomStringConvertible {
    package let option: String
    package let message: String
    package var description: String { message }
}
