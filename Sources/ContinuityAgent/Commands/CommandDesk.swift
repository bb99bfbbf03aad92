import ContinuityCore
import ContinuityNode
import Foundation
import Logging

/// Takes in commands, each key once, and runs those with an effect one after the other.
actor CommandDesk {
    private struct Job {
        var command: AgentCommand
        let arrivedAt: BootInstant
        /// An order of the orchestrator, not of this agent itself.
        var isOrder: Bool
        /// Why it was stopped after it had begun.
        var stoppedBy: String?
        var waiters: [CheckedContinuation<CommandResult, Never>] = []
        var task: Task<Void, Never>?
    }

    private let state: NodeState
    private let execution: CommandExecution
    private let logger: Logger
    private var queue = CommandQueue<OperationKey>()
    private var jobs: [OperationKey: Job] = [:]
    private var localOrders = 0
    private var isClosed = false
    /// By the key of an order that starts the service: how it was fenced before.
    private var fencedBefore: [OperationKey: Fenced] = [:]
    /// How long an answer waits for the disk, in milliseconds.
    private static let saveLimitMs: Int64 = 10_000
    /// The same, of one that says that the service is stopped.
    private static let stoppedSaveLimitMs: Int64 = 500

    init(state: NodeState, execution: CommandExecution, logger: Logger) {
        self.state = state
        self.execution = execution
        self.logger = logger
    }

    /// Carries out an order, or answers with what came of the same order before.
    ///
    /// The key is looked up before anything else: who asks again after a lost answer must not hear a
    /// refusal of what was done.
    func submit(_ command: AgentCommand) async -> CommandResult {
        let arrivedAt = BootInstant.now
        if jobs[command.key] != nil { return await join(command.key) }
        if let known = state.result(of: command.key) { return known }
        guard !isClosed else {
            state.refuse(command, Self.endingReason)
            return await refusedForGood(command, Self.endingReason)
        }
        if state.configuration.mode == .observe, !command.isReading {
            let reason =
                "the agent only observes (mode: observe): it would have carried out "
                + "\(command.name)"
            logger.notice("an order is not carried out", metadata: ["reason": "\(reason)"])
            _ = state.leaveUndone("would have carried out \(command.name) \(command.key)")
            state.refuse(command, reason)
            return await refusedForGood(command, reason)
        }
        if state.configuration.isWitness, !command.isReading, command.name != .own {
            let reason = "this agent's role is witness: there is no service to \(command.name)"
            state.refuse(command, reason)
            return await refusedForGood(command, reason)
        }
        switch state.admit(command) {
        case .refused(let reason): return await refusedForGood(command, reason)
        case .remembered(let result): return result
        case .run: break
        }
        // No effect, so nothing to serialise and nothing to remember.
        guard !command.isReading else {
            if let failure = await deny(command) {
                return CommandResult(key: command.key, outcome: .failed, detail: failure)
            }
            var result = await execution.perform(command, arrivedAt: arrivedAt)
            if command.deniesPromisesMs != nil {
                result.deniedPromisesTo = command.deniesPromisesTo
            }
            return result
        }
        return await enqueue(Job(command: command, arrivedAt: arrivedAt, isOrder: true))
    }

    /// The agent's own order, when its lease has run out or it is told to end.
    func runLocally(_ name: AgentCommand.Name, timeoutMs: Int64) async -> CommandResult {
        localOrders += 1
        let command = AgentCommand(
            key: OperationKey("local-\(name)-\(localOrders)"),
            clusterID: state.configuration.clusterID,
            nodeID: state.configuration.nodeID, epoch: state.highestEpoch, name: name,
            timeoutMs: timeoutMs)
        return await enqueue(Job(command: command, arrivedAt: .now, isOrder: false))
    }

    private static let endingReason = "the agent is about to end"

    /// Takes in no more orders and stops those under way, so that nobody waits for them when the
    /// agent ends. A fence is left to finish: it is bounded, and half a fence is worth nothing.
    func close() {
        isClosed = true
        for (key, job) in jobs where job.isOrder && job.command.name != .fence {
            if job.task != nil {
                stop(key, because: Self.endingReason)
            } else {
                drop(key, Self.endingReason)
            }
        }
    }

    /// It was begun, so nobody knows what it did: it is never said to have failed or been refused.
    private func stop(_ key: OperationKey, because reason: String) {
        jobs[key]?.stoppedBy = reason
        jobs[key]?.task?.cancel()
    }

    private func join(_ key: OperationKey) async -> CommandResult {
        await withCheckedContinuation { jobs[key]?.waiters.append($0) }
    }

    private func enqueue(_ job: Job) async -> CommandResult {
        let key = job.command.key
        precondition(jobs[key] == nil, "a key is enqueued once")
        return await withCheckedContinuation { continuation in
            jobs[key] = job
            jobs[key]?.waiters.append(continuation)
            let name = job.command.name
            switch queue.submit(key, name.queueKind) {
            case .start(let next): start(next)
            case .wait: break
            case .jump(let running, let dropped):
                if let running { stop(running, because: "a \(name) order came after it") }
                for other in dropped { drop(other, "a \(name) order came after it") }
            case .refuse(let reason): drop(key, reason)
            }
        }
    }

    private func start(_ key: OperationKey) {
        // Not a child of the request that brought it: it goes on when its asker hangs up. It is
        // bounded by its own timeout, and by the one place in the queue.
        let task = Task { await self.carryOut(key) }
        jobs[key]?.task = task
    }

    private func carryOut(_ key: OperationKey) async {
        guard let job = jobs[key] else { return next(after: key) }
        let command = job.command
        let metadata: Logger.Metadata = [
            "command": "\(command.name)", "key": "\(key)", "epoch": "\(command.epoch)",
        ]
        logger.info("command begins", metadata: metadata)
        var result: CommandResult
        if let answer = await begin(job) {
            result = answer
        } else {
            if job.isOrder { state.beginWork(command) }
            result = await execution.perform(
                command, arrivedAt: job.arrivedAt, isOrder: job.isOrder)
        }
        if let reason = jobs[key]?.stoppedBy, result.outcome != .succeeded,
            result.outcome != .refused
        {
            result.outcome = .inDoubt
            result.detail = "stopped halfway, \(reason): \(result.detail)"
        }
        result.durationMs = .now - job.arrivedAt
        await keep(&result, of: job)
        // Not before its result is kept: who asks once it is not reported any more finds it.
        state.endWork(key)
        logger.info(
            "command ended",
            metadata: metadata.merging([
                "outcome": "\(result.outcome)", "detail": "\(result.detail)",
                "duration_ms": "\(result.durationMs)",
            ]) { $1 })
        finish(key, result)
        next(after: key)
        state.reportNow.signal()
    }

    /// Makes durable what must be before the command has any effect: that its epoch was seen and,
    /// where it may make a primary, that it was begun. Stopping never waits for the disk.
    ///
    /// - Returns: the answer, when it is not to be carried out.
    private func begin(_ job: Job) async -> CommandResult? {
        let command = job.command
        guard job.isOrder else { return nil }
        let known = state.leadership
        if let reason = known.refusal(of: command.leadership) ?? command.lateness(at: .now) {
            state.refuse(command, reason)
            return refused(command, reason)
        }
        guard !command.name.stops else { return nil }
        let limitMs = max(1, command.deadline(arrivedAt: job.arrivedAt) - .now)
        fencedBefore[command.key] = state.begin(command)
        guard let failure = await state.persistFailure(atMostMs: limitMs) else { return nil }
        return CommandResult(key: command.key, outcome: .failed, detail: failure)
    }

    private func keep(_ result: inout CommandResult, of job: Job) async {
        let fenced = fencedBefore.removeValue(forKey: job.command.key)
        guard job.isOrder else { return }
        if let fenced { state.restoreFence(fenced) }
        if result.outcome != .refused || job.command.name.makesPrimary { state.remember(result) }
        // The service is stopped: its sender must not wait for a disk to learn that.
        let limitMs = job.command.name.stops ? Self.stoppedSaveLimitMs : Self.saveLimitMs
        guard
            let failure = await unlessCancelled({ [state] in
                await state.persistFailure(atMostMs: limitMs)
            })
        else { return }
        logger.error("\(failure)")
        if result.outcome == .refused { result.outcome = .failed }
        result.detail = result.detail.isEmpty ? failure : "\(result.detail). \(failure)"
    }

    /// In a task of its own: a cancelled one waits for nothing.
    private func unlessCancelled(_ work: @escaping @Sendable () async -> String?) async -> String? {
        await Task { await work() }.value
    }

    private func next(after key: OperationKey) {
        if let next = queue.finished(key) { start(next) }
    }

    private func drop(_ key: OperationKey, _ reason: String) {
        guard let job = jobs[key] else { return }
        let result = refused(job.command, reason)
        // Its sender counts on it not having happened: a copy that comes later finds this answer.
        guard job.isOrder, job.command.name.makesPrimary else { return finish(key, result) }
        state.refuse(job.command, reason)
        Task {
            finish(key, await refusedForGood(job.command, reason))
        }
    }

    /// The refusal of an order that may make a primary counts only when it is durable: the same key
    /// must not be begun by the next agent.
    private func refusedForGood(_ command: AgentCommand, _ reason: String) async -> CommandResult {
        var result = refused(command, reason)
        guard command.name.makesPrimary else { return result }
        if let failure = await state.persistFailure(atMostMs: Self.saveLimitMs) {
            logger.error("\(failure)")
            result.outcome = .failed
            result.detail += ". \(failure)"
        }
        return result
    }

    private func finish(_ key: OperationKey, _ result: CommandResult) {
        guard let job = jobs.removeValue(forKey: key) else { return }
        if job.isOrder, job.command.name.makesPrimary {
            state.endPromotion(
                isSettled: result.outcome == .succeeded || result.outcome == .refused)
        }
        for waiter in job.waiters { waiter.resume(returning: result) }
    }

    private func refused(_ command: AgentCommand, _ reason: String) -> CommandResult {
        CommandResult(
            key: command.key, outcome: .refused, detail: reason, service: state.service)
    }

    /// Makes the order's epoch durable, and that no promise is given any more where it says so.
    /// Then waits for the end of one that was given: at most the longest promise there is.
    ///
    /// - Returns: why it could not be done.
    private func deny(_ command: AgentCommand) async -> String? {
        guard let node = command.deniesPromisesTo, let lengthMs = command.deniesPromisesMs else {
            return await state.persistFailure(atMostMs: command.timeoutMs)
        }
        let deadline = BootInstant.now + command.timeoutMs
        do {
            while let end = try await state.denyPromises(to: node, milliseconds: lengthMs) {
                guard end < deadline else {
                    let rest = SpanText.text(ms: end - .now)
                    return "a promise to \(node) is in force for another \(rest)"
                }
                try await Task.sleep(for: .milliseconds(max(1, end - .now)))
            }
            return nil
        } catch {
            return "it cannot be denied for good: \(error)"
        }
    }
}

extension AgentCommand.Name {
    /// Whether it stops the service: the safe thing to do, whatever the disk does.
    fileprivate var stops: Bool { self == .fence || self == .demote }
}
