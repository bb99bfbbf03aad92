import ContinuityCore

/// What waits for one channel: a value without clock or network.
///
/// The journal is the durable store, so the queue is as long as the journal's pending alerts and
/// has no bound of its own.
struct OutboxQueue {
    struct Item: Sendable {
        let alert: Alert
        /// Attempts that were made, in earlier processes too.
        var attempts: Int
    }

    /// Everything accepted and not yet ended: ready, in flight, or waiting for its next attempt.
    private var pending: Set<AlertID> = []
    private var ready: [Item] = []
    /// The first of `ready` that was not taken: taking from the front moves no elements.
    private var head = 0
    private var inFlight = 0
    private let maxInFlight: Int

    init(maxInFlight: Int) {
        precondition(maxInFlight > 0, "one attempt at a time is the least")
        self.maxInFlight = maxInFlight
    }

    var pendingCount: Int { pending.count }

    /// `false` when the same alert is pending already.
    mutating func enqueue(_ item: Item) -> Bool {
        guard pending.insert(item.alert.alertID).inserted else { return false }
        ready.append(item)
        return true
    }

    /// The next alert to send, while a slot is free. `attemptEnded` gives the slot back.
    mutating func take() -> Item? {
        guard inFlight < maxInFlight, head < ready.count else { return nil }
        var item = ready[head]
        head += 1
        if head > 64, head * 2 > ready.count {
            ready.removeFirst(head)
            head = 0
        }
        item.attempts += 1
        inFlight += 1
        return item
    }

    mutating func attemptEnded() {
        precondition(inFlight > 0, "an attempt ended that was never taken")
        inFlight -= 1
    }

    /// The wait is over: the alert stands at the end of the queue.
    mutating func retry(_ item: Item) {
        precondition(pending.contains(item.alert.alertID), "only a pending alert is tried again")
        ready.append(item)
    }

    /// The alert is delivered or dead.
    mutating func finish(_ id: AlertID) {
        precondition(pending.remove(id) != nil, "an alert ends once")
    }
}
