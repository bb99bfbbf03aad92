import ContinuityCore
import ContinuityNode
import Foundation

/// Carries out one command: runs its program, then makes sure that what the command stands for
/// has come true.
struct CommandExecution: Sendable {
    let state: NodeState
    let monitor: ServiceMonitor
    let fencing: Fencing
    /// Added to every program's environment.
    let environment: [String: String]

    /// What to wait for after the program has ended with 0.
    private enum Goal {
        case none
        case role(ServiceReport.Role)
        case anyRole
    }

    /// - Parameter isOrder: of an orchestrator, not of this agent itself.
    func perform(
        _ command: AgentCommand, arrivedAt: BootInstant, isOrder: Bool = true
    ) async -> CommandResult {
        let deadline = command.deadline(arrivedAt: arrivedAt)
        switch command.name {
        case .status: return await status(command)
        case .demote: return await demote(command, deadline: deadline, isOrder: isOrder)
        case .fence: return await fence(command, deadline: deadline, isOrder: isOrder)
        case .prepare, .follow: return await run(command, deadline: deadline, goal: .none)
        case .rejoin: return await run(command, deadline: deadline, goal: .role(.secondary))
        case .own: return await runOwn(command, deadline: deadline)
        case .restart, .promote:
            // Before the program runs: the service may be primary before anybody could look.
            if let leaseMs = command.leaseMs {
                state.grantLease(milliseconds: leaseMs, from: arrivedAt)
            }
            guard command.name == .promote else {
                return await run(command, deadline: deadline, goal: .anyRole)
            }
            return await promote(command, deadline: deadline)
        }
    }

    /// Succeeds only with what is true now: a position that was read before is no answer to a
    /// question about what the service holds.
    private func status(_ command: AgentCommand) async -> CommandResult {
        let (report, failure) = await monitor.look()
        let isKnown =
            report.state == .running || report.state == .stopped
            || state.configuration.isWitness
        return CommandResult(
            key: command.key, outcome: isKnown && failure == nil ? .succeeded : .failed,
            detail: failure ?? report.detail, service: report)
    }

    /// A service that was a secondary so long ago is promoted without another look. Where somebody
    /// promoted it since, the program fails and the look afterwards shows a primary.
    private static let roleAgeMaxMs: Int64 = 1000

    /// Succeeds whenever the service is primary in the end: a program that promotes what is primary
    /// already fails, and so may one whose work was done by an earlier try.
    private func promote(_ command: AgentCommand, deadline: BootInstant) async -> CommandResult {
        // The run has just asked what the target holds: nobody waits for the same answer again.
        let seen = await monitor.status.reading(notOlderThanMs: Self.roleAgeMaxMs)
        if seen?.role != .secondary, let report = await primaryNow() {
            return CommandResult(
                key: command.key, outcome: .succeeded,
                detail: "the service was primary already; the program was not run",
                service: report)
        }
        let result = await run(command, deadline: deadline, goal: .role(.primary))
        guard result.outcome != .succeeded, !Task.isCancelled, let report = await primaryNow()
        else { return result }
        return CommandResult(
            key: command.key, outcome: .succeeded,
            detail: "the service is primary, although \(result.detail)", service: report)
    }

    /// What the status program says of a service that is primary at this moment.
    private func primaryNow() async -> ServiceReport? {
        guard monitor.processes.mainProcess() != nil else { return nil }
        let ticket = state.takeTicket()
        let askedAt = BootInstant.now
        guard let reading = await monitor.status.read().reading, reading.role == .primary,
            monitor.processes.mainProcess() != nil
        else { return nil }
        return state.updateService(ticket: ticket) {
            $0.probed(ProbeOutcome(failure: nil, reading: reading), askedAt: askedAt, at: .now)
        }
    }

    // MARK: Programs

    /// Tells a `rejoin` program what may happen to data that diverged.
    static let rejoinVariable = "CONTINUITY_REJOIN"

    /// Runs the command's program. `nil` when it ended with 0, else the result to give.
    private func runProgram(
        _ command: AgentCommand, deadline: BootInstant
    ) async -> CommandResult? {
        guard let template = state.configuration.commands[command.name] else {
            return CommandResult(
                key: command.key, outcome: .failed,
                detail: "the agent's configuration has no command '\(command.name)'")
        }
        guard let argv = template.arguments(with: CommandTemplate.values(of: command)) else {
            return CommandResult(
                key: command.key, outcome: .failed,
                detail: "the command lacks a value that '\(command.name)' has a placeholder for: "
                    + "primary_address and primary_node_id are needed")
        }
        var environment = template.environment.merging(environment) { $1 }
        if let rejoin = command.rejoin {
            environment[Self.rejoinVariable] = rejoin.rawValue
        }
        let result = await ProgramRunner.run(
            argv: argv, environment: environment,
            limits: limits(of: command, template, deadline: deadline))
        guard !result.succeeded else { return nil }
        let outcome: CommandResult.Outcome = result.ending == .timedOut ? .timedOut : .failed
        var answer = CommandResult(
            key: command.key, outcome: outcome, detail: "\(argv[0]) \(result.explanation)")
        if command.name == .prepare, result.ending == .exited(CommandResult.hinderedStatus) {
            answer.isHindered = true
            answer.detail = result.tail
        }
        if command.name == .follow, result.ending == .exited(CommandResult.divergedStatus) {
            answer.isDiverged = true
        }
        return answer
    }

    /// Work as long as the data is goes on beyond the order's time, which bounds one asking alone.
    private func limits(
        of command: AgentCommand, _ template: CommandTemplate, deadline: BootInstant
    ) -> ProgramRunner.Limits {
        guard command.name.isAsLongAsData else {
            return ProgramRunner.Limits(totalMs: min(template.timeoutMs, deadline - .now))
        }
        return ProgramRunner.Limits(
            totalMs: template.timeoutMs, stillMs: template.stallMs,
            onMove: { [state] in state.workMoved(command.key) })
    }

    private func run(
        _ command: AgentCommand, deadline: BootInstant, goal: Goal
    ) async -> CommandResult {
        var result: CommandResult
        if let failure = await runProgram(command, deadline: deadline) {
            result = failure
        } else {
            // The program may have taken longer than the order's time.
            let goalDeadline =
                command.name.isAsLongAsData ? max(deadline, .now + command.timeoutMs) : deadline
            result = await reach(goal, command, deadline: goalDeadline)
        }
        if result.service == nil { result.service = await monitor.refresh() }
        return result
    }

    private func reach(
        _ goal: Goal, _ command: AgentCommand, deadline: BootInstant
    ) async -> CommandResult {
        if case .none = goal { return CommandResult(key: command.key, outcome: .succeeded) }
        let began = BootInstant.now
        var deadSince: BootInstant?
        var last = "the status command was not answered"
        while .now < deadline, !Task.isCancelled {
            if let deadSince, .now - deadSince >= deathMs(command) {
                return CommandResult(
                    key: command.key, outcome: .failed,
                    detail: "its program ended with 0, but the service has ended: \(last)")
            }
            let ticket = state.takeTicket()
            let askedAt = BootInstant.now
            let answer = await monitor.status.read()
            let isAlive = monitor.processes.mainProcess() != nil
            deadSince = isAlive ? nil : deadSince ?? askedAt
            switch answer {
            // A status program may also answer for a stopped service.
            case _ where !isAlive: last = "no main process of the service is alive"
            case .reading(let reading) where matches(reading, goal):
                let report = state.updateService(ticket: ticket) {
                    $0.probed(
                        ProbeOutcome(failure: nil, reading: reading), askedAt: askedAt, at: .now)
                }
                return CommandResult(key: command.key, outcome: .succeeded, service: report)
            case .reading(let reading): last = "the service's role is \(reading.role)"
            case .failure(let reason): last = reason
            }
            // Quick while a good service would be quick, then easy on the machine.
            let pauseMs: Int64 = .now - began < 2000 ? 10 : 100
            try? await Task.sleep(for: .milliseconds(pauseMs))
        }
        guard !Task.isCancelled else {
            return CommandResult(key: command.key, outcome: .inDoubt, detail: last)
        }
        return CommandResult(
            key: command.key, outcome: .timedOut,
            detail: "its program ended with 0, but after \(command.timeoutMs) ms \(last)")
    }

    /// How long no process may be there until the service counts as dead, in milliseconds. One that
    /// is promoted was running. One that is started may take its time to become a process.
    private func deathMs(_ command: AgentCommand) -> Int64 {
        command.name == .promote ? 500 : 5000
    }

    private func matches(_ reading: StatusReading, _ goal: Goal) -> Bool {
        switch goal {
        case .none: true
        case .role(let role): reading.role == role
        case .anyRole: reading.role != .unknown
        }
    }

    // MARK: Stopping

    private func demote(
        _ command: AgentCommand, deadline: BootInstant, isOrder: Bool
    ) async -> CommandResult {
        state.suspendLease()
        defer { state.resumeLease() }
        if fencing.proof() == .stopped {
            return stopped(command, isOrder, method: FenceReceipt.alreadyStopped)
        }
        if var failure = await runProgram(command, deadline: deadline) {
            failure.service = await monitor.refresh()
            return failure
        }
        guard await fencing.waitUntilStopped(deadline: deadline) else {
            let outcome: CommandResult.Outcome = Task.isCancelled ? .failed : .timedOut
            return CommandResult(
                key: command.key, outcome: outcome,
                detail: "its program ended with 0, but the service still runs",
                service: await monitor.refresh())
        }
        // A status program that also answers for a stopped service tells where its data ends.
        if let position = await monitor.status.read().reading?.positionBytes {
            state.updateService(ticket: state.takeTicket()) { $0.finalPosition(position) }
        }
        return stopped(command, isOrder, method: "command")
    }

    private func fence(
        _ command: AgentCommand, deadline: BootInstant, isOrder: Bool
    ) async -> CommandResult {
        state.suspendLease()
        defer { state.resumeLease() }
        if fencing.proof() == .stopped {
            return stopped(command, isOrder, method: FenceReceipt.alreadyStopped)
        }
        var detail = ""
        if state.configuration.commands[.fence] != nil {
            // Some of the time is kept for what the program leaves alive.
            let restMs = max(0, deadline - .now)
            let programDeadline = .now + max(restMs - 1000, restMs / 2)
            detail = await runProgram(command, deadline: programDeadline)?.detail ?? ""
        }
        let killed = await fencing.killAll()
        switch fencing.proof() {
        case nil:
            return CommandResult(
                key: command.key, outcome: .failed,
                detail: "\(monitor.settle().report.detail). \(detail)", service: state.service)
        case .killPending(let pids)?:
            let list = pids.map(String.init).joined(separator: ", ")
            let hang = "processes \(list) hang in the kernel with SIGKILL pending"
            return stopped(
                command, isOrder, method: "kill_pending", killed: killed,
                detail: detail.isEmpty ? hang : "\(detail). \(hang)")
        case .stopped?:
            return stopped(
                command, isOrder, method: killed > 0 ? "killed" : "command", killed: killed,
                detail: detail)
        }
    }

    private func stopped(
        _ command: AgentCommand, _ isOrder: Bool, method: String, killed: Int64 = 0,
        detail: String = ""
    ) -> CommandResult {
        let report = monitor.settle().report
        // What the agent stops at its own end is not fenced: the node may start as it stood.
        if isOrder || state.isLeaseOver { state.noteFence(isByLease: !isOrder) }
        return CommandResult(
            key: command.key, outcome: .succeeded, detail: detail,
            service: state.service.state == .stopped ? state.service : report,
            receipt: FenceReceipt(
                nodeID: state.configuration.nodeID, bootID: state.bootID, epoch: command.epoch,
                method: method, processesKilled: killed))
    }
}
