import ContinuityCore

/// What an agent keeps on disk: the highest epoch, results by key, and its promise.
struct AgentLedger {
    struct Promise {
        var to: Int
        var untilLocalMs: Int64
        var lengthMs: Int64
    }

    static let resultLimit = 256

    var highestEpoch: Int64 = 0
    var results: [CommandResult] = []
    var promise: Promise?
    /// No promise to this node from then until then.
    var denial: (to: Int, sinceLocalMs: Int64, untilLocalMs: Int64)?

    func result(of key: OperationKey) -> CommandResult? { results.last { $0.key == key } }

    mutating func remember(_ result: CommandResult) {
        results.removeAll { $0.key == result.key }
        results.append(result)
        if results.count > Self.resultLimit { results.removeFirst() }
    }

    func isPromised(atLocalMs now: Int64) -> Bool {
        guard let promise else { return false }
        return now < promise.untilLocalMs
    }

    /// Until when a promise to this node is in force.
    func promiseEnd(to node: Int, atLocalMs now: Int64) -> Int64? {
        guard let promise, promise.to == node, now < promise.untilLocalMs else { return nil }
        return promise.untilLocalMs
    }

    /// No run counted on a denial any more when that report was answered.
    mutating func endDenial(reportSentLocalMs: Int64) {
        if let denial, denial.sinceLocalMs < reportSentLocalMs { self.denial = nil }
    }

    /// - Returns: whether the promise is given.
    mutating func give(_ round: PromiseRound, isPrimary: Bool, atLocalMs now: Int64) -> Bool {
        guard !isPrimary, round.epoch >= highestEpoch else { return false }
        if let denial, denial.to == round.node, now < denial.untilLocalMs { return false }
        if let promise, promise.to != round.node, now < promise.untilLocalMs { return false }
        let kept = promise?.to == round.node ? promise?.untilLocalMs ?? 0 : 0
        promise = Promise(
            to: round.node, untilLocalMs: max(kept, now + round.lengthMs),
            lengthMs: round.lengthMs)
        return true
    }
}
