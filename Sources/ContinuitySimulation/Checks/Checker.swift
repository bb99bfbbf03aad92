import ContinuityCore

/// What the checker remembers beside the world itself.
struct Checker {
    /// Orders that an agent has finished and remembered.
    var finishedOrders: Set<OperationKey> = []
    /// Orders that may make a primary, from when they were begun.
    var begunOrders: Set<OperationKey> = []
    /// Orders to become primary that were answered with a refusal.
    var refusedOrders: Set<OperationKey> = []
    /// When an order was last asked for by a process, true time.
    var sentAtMs: [OperationKey: Int64] = [:]
    private var invokedHooks: Set<OperationKey> = []
    var intended: Set<OperationKey> = []
    var queuedAlerts: Set<AlertID> = []
    /// When a client could last write, or the orchestrator could not have told that none can.
    var writableAtMs: Int64 = 0
    /// When it was last looked at; a gap means that the orchestrator was away.
    var silenceCheckedAtMs: Int64 = 0
    /// When people were last told of something that is not well.
    var alarmedAtMs: Int64 = -1_000_000
    /// Until when there was something that could make a node look lost.
    private var troubleUntilMs: [Int: Int64] = [:]
    /// When a node last found another unreachable, by (observer, observed).
    private var unreachableAtMs: [Int: Int64] = [:]
    var runBeganAtMs: Int64?
    var runTrigger: RunTrigger = ""
    var lossIsAccepted = false
    var approvals: [ApprovalID: Approval] = [:]
    var lastApprovalID: ApprovalID?
    /// The move that is arranged at the moment.
    var arranged: ScheduledMove?
    /// Those that have begun a run.
    var actedOn: Set<ScheduledMove> = []
    var lastHold: Hold?
    var runsBegun = 0
    var failovers = 0
    var serveTroubleAtMs: Int64 = -1_000_000
    /// How often each rule was looked at, to show that a rule was not idle.
    var promotions = 0

    struct Approval {
        var asked: PendingApproval
        var people: [String] = []
        var acceptsLoss = false
        var outcome: ApprovalOutcome?
        var isUsed = false
    }

    /// - Returns: whether it was invoked before.
    mutating func invokes(_ key: OperationKey) -> Bool { !invokedHooks.insert(key).inserted }

    mutating func trouble(_ node: Int, _ untilMs: Int64) {
        troubleUntilMs[node] = max(troubleUntilMs[node] ?? -1_000_000, untilMs)
    }

    func lastTroubleMs(_ node: Int) -> Int64 { troubleUntilMs[node] ?? -1_000_000 }

    mutating func serveTrouble(_ atMs: Int64) { serveTroubleAtMs = atMs }

    mutating func looked(_ node: Int, at views: [PeerView?], _ nowMs: Int64) {
        for (other, view) in views.enumerated()
        where view == .unreachable || view == .serviceStopped {
            unreachableAtMs[node * 1000 + other] = nowMs
        }
    }

    func foundUnreachable(_ node: Int, by observer: Int) -> Int64 {
        unreachableAtMs[observer * 1000 + node] ?? -1_000_000
    }
}
