import ContinuityConfig

/// The guard process beside an agent, as its configuration has it.
package struct GuardConfiguration: Hashable, Sendable {
    /// The kernel's watchdog, fed by the guard while there is something to guard.
    package struct Watchdog: Hashable, Sendable {
        package static let timeoutRangeMs: ClosedRange<Int64> = 1000...600_000

        package var device: String
        package var timeoutMs: Int64

        package init(device: String, timeoutMs: Int64) {
            self.device = device
            self.timeoutMs = timeoutMs
        }
    }

    /// The absolute path of `continuity-agent-guard`.
    package var program: String
    package var watchdog: Watchdog?

    package init(program: String, watchdog: Watchdog? = nil) {
        self.program = program
        self.watchdog = watchdog
    }

    package static func defaultProgram() -> String {
        CompanionProgram.path("continuity-agent-guard")
    }
}

/// How the guard fares, for `/health` and for reports.
struct GuardStatus: Codable, Equatable, Sendable {
    enum State: String, Codable, Sendable {
        /// It answers.
        case guarding
        /// It was started and has not answered yet, or it is being replaced.
        case degraded
        /// The deadline has passed, and it has killed what was there or is about to.
        case fencing
        /// None is configured (never with `continuity agent`).
        case off
    }

    var state: State = .off
    var pid: Int32?
    /// How often it had to be started anew.
    var restarts: Int64 = 0
    /// What the kernel let it have; each one that is missing weakens it.
    var isLocked = false
    var isUnkillable = false
    var isRealtime = false
    var feedsWatchdog = false
    var processesKilled: Int64 = 0
    /// Why it is degraded, for people.
    var detail = ""

    private enum CodingKeys: String, CodingKey {
        case state, pid, restarts, detail
        case isLocked = "memory_locked"
        case isUnkillable = "spared_when_out_of_memory"
        case isRealtime = "realtime"
        case feedsWatchdog = "feeds_watchdog"
        case processesKilled = "processes_killed"
    }
}
