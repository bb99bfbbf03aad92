package import ContinuityConfig

/// The most that one invocation may use. What goes beyond ends it with the outcome `limit`.
package struct HookBudgets: Hashable, Sendable {
    /// From the start of the worker to its outcome, host calls included.
    package var wallMs: Int64
    /// Processor time.
    package var cpuMs: Int64
    /// All Lua values together.
    package var memoryBytes: Int64
    /// Instructions of Lua's virtual machine, over all coroutines together.
    package var instructions: Int64
    /// The returned value as JSON, and each host call.
    package var outputBytes: Int64
    package var hostCalls: Int64
    /// All log lines together, each with its end.
    package var logBytes: Int64

    package init(
        wallMs: Int64 = 1000, cpuMs: Int64 = 250, memoryBytes: Int64 = 16 << 20,
        instructions: Int64 = 10_000_000, outputBytes: Int64 = 64 << 10, hostCalls: Int64 = 16,
        logBytes: Int64 = 16 << 10
    ) {
        self.wallMs = wallMs
        self.cpuMs = cpuMs
        self.memoryBytes = memoryBytes
        self.instructions = instructions
        self.outputBytes = outputBytes
        self.hostCalls = hostCalls
        self.logBytes = logBytes
    }

    /// The most that any server allows. The sandbox's own bounds lie above it.
    package static let maximum = HookBudgets(
        wallMs: 60_000, cpuMs: 10_000, memoryBytes: 256 << 20, instructions: 1_000_000_000,
        outputBytes: 1 << 20, hostCalls: 256, logBytes: 256 << 10)

    /// The smallest that makes sense.
    private static let minimum = HookBudgets(
        wallMs: 10, cpuMs: 5, memoryBytes: 256 << 10, instructions: 10_000, outputBytes: 256,
        hostCalls: 0, logBytes: 0)

    private static var fields: [(name: String, path: WritableKeyPath<HookBudgets, Int64>)] {
        [
            ("wall_ms", \.wallMs), ("cpu_ms", \.cpuMs), ("memory_bytes", \.memoryBytes),
            ("instructions", \.instructions), ("output_bytes", \.outputBytes),
            ("host_calls", \.hostCalls), ("log_bytes", \.logBytes),
        ]
    }

    /// Reads the section `budgets` of a manifest.
    ///
    /// - Parameter ceiling: the operator's. A budget that the manifest names may not lie above it;
    ///   one that it does not name is lowered to it.
    init(reading reader: ConfigReader?, ceiling: HookBudgets) throws(ConfigError) {
        self.init()
        for (name, path) in Self.fields {
            let fallback = min(self[keyPath: path], ceiling[keyPath: path])
            guard let reader else {
                self[keyPath: path] = fallback
                continue
            }
            let range = Self.minimum[keyPath: path]...Self.maximum[keyPath: path]
            let value = try reader.int(name, in: range, default: fallback)
            guard value <= ceiling[keyPath: path] else {
                throw reader.error(
                    "'budgets.\(name)' is \(value), above this server's ceiling of "
                        + "\(ceiling[keyPath: path])",
                    remedy: "lower it, or raise 'hooks.ceilings.\(name)' of the server", at: name)
            }
            self[keyPath: path] = value
        }
        try reader?.finish()
    }

    /// Reads the section `hooks.ceilings` of a server's configuration.
    package static func ceilings(
        reading reader: ConfigReader?
    ) throws(ConfigError) -> HookBudgets {
        var ceilings = maximum
        guard let reader else { return ceilings }
        for (name, path) in fields {
            ceilings[keyPath: path] = try reader.int(
                name, in: minimum[keyPath: path]...maximum[keyPath: path],
                default: maximum[keyPath: path])
        }
        try reader.finish()
        return ceilings
    }
}
