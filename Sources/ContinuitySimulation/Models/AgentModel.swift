import ContinuityCore
import ContinuityNode

/// An agent and the guard beside it: the decisions are those of the real one.
struct AgentModel {
    struct Job {
        var id: Int
        var command: AgentCommand
        var isOrder: Bool
        var arrivedLocalMs: Int64 = 0
        /// Who waits for the result: effects of the orchestrator's shell.
        var effects: [Int]
    }

    var isUp = true
    var pausedUntilMs: Int64 = 0
    /// Counts the processes: the boot id of each.
    var boot = 1
    var ledger = Ledger()
    var lease: Lease
    var leaseToken = 0
    var sequence: Int64 = 0
    var views: [PeerView?]
    /// What the last probe saw; decides with the lease whether to fence.
    var seen: ServiceReport
    var failuresInRow = 0
    var intervalMs: Int64 = 1000
    /// The length of the orchestrator's leases: that of the promises that are asked for.
    var promiseMs: Int64 = 0
    /// When the last report that an orchestrator answered was sent.
    var contactLocalMs: Int64 = 0
    var promiseRound = 0
    var round: PromiseRound?
    var promiseRule: PromiseRule?
    var promotions = PromotionWatch()
    var stalls = StallDetector()
    /// Its status program answers and does not tell the role.
    var statusIsUnknown = false
    /// How it was fenced before the order that starts it.
    var fencedBefore: Fenced?
    var lastAskedLocalMs: Int64 = -1_000_000
    var queue = CommandQueue<Int>()
    /// Those that run or wait.
    var jobs: [Int: Job] = [:]
    var nextJob = 1
    // The guard: it outlives the agent process.
    var guardPausedUntilMs: Int64 = 0
    var guardLeaseEndLocalMs: Int64?
    var guardLeaseLengthMs: Int64 = 0
    var guardToken = 0

    func isPaused(_ nowMs: Int64) -> Bool { nowMs < pausedUntilMs }
    var seesPrimary: Bool { seen.role == .primary && seen.state != .stopped }
    /// Whether an order is under way that may make the service a primary.
    var promotes: Bool { jobs.values.contains { $0.command.name.makesPrimary } }
    var fences: Bool { jobs.values.contains { $0.command.name == .fence } }
}
