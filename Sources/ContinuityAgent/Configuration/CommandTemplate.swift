import ContinuityCore

/// A program of the node's own that hooks may ask for.
package struct HookCommandTemplate: Hashable, Sendable {
    package var template: CommandTemplate
    /// Whether it changes nothing. Only then it also runs in drills, and beside other orders.
    package var readsOnly: Bool

    package init(template: CommandTemplate, readsOnly: Bool) {
        self.template = template
        self.readsOnly = readsOnly
    }
}

/// The program that a configuration names for one command, with placeholders in its arguments.
package struct CommandTemplate: Hashable, Sendable {
    /// The first element is the absolute path of an executable. There is never a shell.
    package var argv: [String]
    /// How long the program may run before its process group is killed.
    package var timeoutMs: Int64
    /// With work as long as the data is: how long nothing may move before it is killed.
    package var stallMs: Int64 = stallDefaultMs
    /// Added to the agent's own environment.
    package var environment: [String: String]

    package static let stallDefaultMs: Int64 = 600_000

    package init(argv: [String], timeoutMs: Int64, environment: [String: String] = [:]) {
        self.argv = argv
        self.timeoutMs = timeoutMs
        self.environment = environment
    }

    static let placeholders: [String] = [
        "primary_host", "primary_port", "primary_address", "primary_node_id", "node_id", "epoch",
    ]

    /// Names in braces that are no placeholder. `{` without a matching `}` is ordinary text.
    static func unknownPlaceholders(in text: String) -> [String] {
        text.matches(of: /\{([A-Za-z_][A-Za-z0-9_]*)\}/)
            .map { String($0.output.1) }
            .filter { !placeholders.contains($0) }
    }

    /// The arguments for one command, or `nil` when a placeholder has no value in it: it is
    /// better to refuse than to run a program with an empty address.
    func arguments(with values: [String: String]) -> [String]? {
        var arguments: [String] = []
        for element in argv {
            var missing = false
            let text = element.replacing(/\{([A-Za-z_][A-Za-z0-9_]*)\}/) { match in
                guard let value = values[String(match.output.1)] else {
                    missing = true
                    return ""
                }
                return value
            }
            guard !missing else { return nil }
            arguments.append(text)
        }
        return arguments
    }

    static func values(of command: AgentCommand) -> [String: String] {
        var values = [
            "node_id": command.nodeID.rawValue, "epoch": String(command.epoch),
        ]
        values["primary_node_id"] = command.primaryNodeID?.rawValue
        values["primary_address"] = command.primaryAddress
        if let address = command.primaryAddress.flatMap({ Endpoint($0) }) {
            values["primary_host"] = address.host
            values["primary_port"] = String(address.port)
        }
        return values
    }
}
