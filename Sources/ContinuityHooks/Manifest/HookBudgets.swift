import ContinuityConfig

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
    /// All log lines together. What goes beyond is dropped; it ends nothing.
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

    /// Reads the section `budgets`. Each range ends at the ceiling that no manifest may exceed.
    init(reading reader: ConfigReader?) throws(ConfigError) {
        self.init()
        guard let reader else { return }
        wallMs = try reader.int("wall_ms", in: 10...60_000, default: wallMs)
        cpuMs = try reader.int("cpu_ms", in: 5...10_000, default: cpuMs)
        memoryBytes = try reader.int(
            "memory_bytes", in: (256 << 10)...(256 << 20), default: memoryBytes)
        instructions = try reader.int(
            "instructions", in: 10_000...1_000_000_000, default: instructions)
        outputBytes = try reader.int("output_bytes", in: 256...(1 << 20), default: outputBytes)
        hostCalls = try reader.int("host_calls", in: 0...256, default: hostCalls)
        logBytes = try reader.int("log_bytes", in: 0...(256 << 10), default: logBytes)
        try reader.finish()
    }
}
