/// What came of one hook invocation.
package struct HookOutcome: Codable, Hashable, Sendable {
    package enum Status: String, Codable, Hashable, Sendable {
        /// The function returned `true` or a table.
        case ok
        /// The function returned `nil, message` or `false`: a business failure.
        case failed
        /// A bug in the script; `error` holds message and traceback.
        case error
        /// A budget was used up; `limit` says which one.
        case limit
        /// A capability was used that is not granted.
        case denied
        /// The worker died without saying why.
        case crash
    }

    /// The limits that the same call may reach on a slow or busy machine and not on another.
    package static let limitsOfSpeed: Set<String> = ["cpu", "wall"]

    package var status: Status
    /// `instructions`, `memory`, `cpu`, `wall`, `output`, `host_calls` or `log`, with status `limit`.
    package var limit: String?
    /// What the function returned, with status `ok`.
    package var value: JSONValue
    package var error: String?
    package var logs: [String]
    /// The effects that the broker carried out (or, in a drill, recorded), in order.
    package var effects: [JSONValue]
    /// What the broker read for the hook, in order; `nil` when it asked for nothing.
    package var reads: [JSONValue]?
    package var usage: HookUsage
    /// SHA-256, hexadecimal.
    package var scriptSHA256: String
    package var manifestSHA256: String
    package var inputSHA256: String
    /// Of the grant's canonical JSON; `nil` when nothing is granted.
    package var grantSHA256: String?

    package init(
        status: Status, limit: String? = nil, value: JSONValue = .null, error: String? = nil,
        logs: [String] = [], effects: [JSONValue] = [], usage: HookUsage = HookUsage(),
        scriptSHA256: String = "", manifestSHA256: String = "", inputSHA256: String = "",
        grantSHA256: String? = nil
    ) {
        self.status = status
        self.limit = limit
        self.value = value
        self.error = error
        self.logs = logs
        self.effects = effects
        self.usage = usage
        self.scriptSHA256 = scriptSHA256
        self.manifestSHA256 = manifestSHA256
        self.inputSHA256 = inputSHA256
        self.grantSHA256 = grantSHA256
    }

    private enum CodingKeys: String, CodingKey {
        case status, limit, value, error, logs, effects, reads, usage
        case scriptSHA256 = "script_sha256"
        case manifestSHA256 = "manifest_sha256"
        case inputSHA256 = "input_sha256"
        case grantSHA256 = "grant_sha256"
    }
}

/// What one invocation used of its budgets.
package struct HookUsage: Codable, Hashable, Sendable {
    package var instructions: Int64
    package var memoryBytes: Int64
    package var cpuUs: Int64
    package var wallUs: Int64

    package init(
        instructions: Int64 = 0, memoryBytes: Int64 = 0, cpuUs: Int64 = 0, wallUs: Int64 = 0
    ) {
        self.instructions = instructions
        self.memoryBytes = memoryBytes
        self.cpuUs = cpuUs
        self.wallUs = wallUs
    }

    private enum CodingKeys: String, CodingKey {
        case instructions
        case memoryBytes = "memory_bytes"
        case cpuUs = "cpu_us"
        case wallUs = "wall_us"
    }
}
