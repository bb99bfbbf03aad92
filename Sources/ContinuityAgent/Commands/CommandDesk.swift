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

    init(state: NodeState, execution: CommandExecution, logger: Logger) {
        self.state = state
        self.execution = execution
        self.logger = logger
    }

    /// Carries out an order, or answers with what came of the same order before.
    func submit(_ command: AgentCommand) async -> CommandResult {
        let arrivedAt = BootInstant.now
        guard !isClosed else {
            return await refuseForGood(command, "the agent is about to end")
        }
        if jobs[command.key] != nil { return await join(command.key) }
        switch state.admit(command) {
        case .refused(let reason):
            // A refused promotion is remembered, and must be after a restart too.
            if command.name == .promote, let failure = await persistFailure() {
                logger.error("\(failure)")
            }
            return refused(command, reason)
        case .remembered(let result): return result
        case .run: break
        }
        // No effect, so nothing to serialise and nothing to remember.
        guard !command.isReading else {
            if let failure = await deny(command) {
                return CommandResult(key: command.key, outcome: .failed, detail: failure)
            }
            return await execution.perform(command, arrivedAt: arrivedAt)
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

    /// Takes in no more orders and stops those under way, so that nobody waits for them when the
    /// agent ends. A fence is left to finish: it is bounded, and half a fence is worth nothing.
    func close() {
        isClosed = true
        for (key, job) in jobs where job.isOrder && job.command.name != .fence {
            if let task = job.task { task.cancel() } else { drop(key, "the agent is about to end") }
        }
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
                if let running { jobs[running]?.task?.cancel() }
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
        let failure = await persistFailure()
        if job.isOrder, command.epoch < state.highestEpoch {
            result = refused(command, "epoch \(command.epoch) became stale while it waited")
        } else if job.isOrder, let reason = command.lateness(at: .now) {
            result = refused(command, reason)
            // Its sender counts on it not having happened.
            if command.name == .promote { state.remember(result) }
        } else if let failure, command.name != .fence, command.name != .demote {
            result = CommandResult(key: key, outcome: .failed, detail: failure)
        } else {
            // Without a disk, stopping is still the safe thing to do.
            if let failure { logger.error("\(failure)", metadata: metadata) }
            result = await execution.perform(command, arrivedAt: job.arrivedAt)
        }
        result.durationMs = .now - job.arrivedAt
        if job.isOrder, result.outcome != .refused {
            state.remember(result)
            if let failure = await persistFailure() { logger.error("\(failure)") }
        }
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

    private func next(after key: OperationKey) {
        if let next = queue.finished(key) { start(next) }
    }

    private func drop(_ key: OperationKey, _ reason: String) {
        guard let job = jobs[key] else { return }
        let result = refused(job.command, reason)
        // Its sender counts on it not having happened: a copy that comes later finds this answer.
        if job.isOrder, job.command.name == .promote { state.remember(result) }
        finish(key, result)
    }

    private func refuseForGood(_ command: AgentCommand, _ reason: String) async -> CommandResult {
        let result = refused(command, reason)
        guard command.name == .promote else { return result }
        state.remember(result)
        if let failure = await persistFailure() { logger.error("\(failure)") }
        return result
    }

    private func finish(_ key: OperationKey, _ result: CommandResult) {
        guard let job = jobs.removeValue(forKey: key) else { return }
        if job.isOrder, job.command.name.makesPrimary { state.endPromotion() }
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
            return await persistFailure()
        }
        let deadline = BootInstant.now + command.timeoutMs
        do {
            while let end = try await state.denyPromises(to: node, milliseconds: lengthMs) {
                guard end < deadline else {
                    return "a promise to \(node) is in force for another \(end - .now) ms"
                }
                try await Task.sleep(for: .milliseconds(max(1, end - .now)))
            }
            return nil
        } catch {
            return "it cannot be denied for good: \(error)"
        }
    }

    private func persistFailure() async -> String? {
        do {
            try await state.persist()
            return nil
        } catch {
            return "the agent's state cannot be saved: \(error)"
        }
    }
}
