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

    func perform(_ command: AgentCommand, arrivedAt: BootInstant) async -> CommandResult {
        let deadline = command.deadline(arrivedAt: arrivedAt)
        switch command.name {
        case .status: return await status(command)
        case .demote: return await demote(command, deadline: deadline)
        case .fence: return await fence(command, deadline: deadline)
        case .prepare, .follow: return await run(command, deadline: deadline, goal: .none)
        case .rejoin: return await run(command, deadline: deadline, goal: .role(.secondary))
        case .own: return await runOwn(command, deadline: deadline)
        case .restart, .promote:
            // Before the program runs: the service may be primary before anybody could look.
            if let leaseMs = command.leaseMs {
                state.grantLease(milliseconds: leaseMs, from: arrivedAt)
            }
            let goal = command.name == .promote ? Goal.role(.primary) : .anyRole
            return await run(command, deadline: deadline, goal: goal)
        }
    }

    /// Succeeds only with what is true now: a position that was read before is no answer to a
    /// question about what the service holds.
    private func status(_ command: AgentCommand) async -> CommandResult {
        let (report, failure) = await monitor.look()
        let isKnown = report.state == .running || report.state == .stopped
        return CommandResult(
            key: command.key, outcome: isKnown && failure == nil ? .succeeded : .failed,
            detail: failure ?? report.detail, service: report)
    }

    // MARK: Programs

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
        let result = await ProgramRunner.run(
            argv: argv, environment: template.environment.merging(environment) { $1 },
            timeoutMs: min(template.timeoutMs, deadline - .now))
        guard !result.succeeded else { return nil }
        let outcome: CommandResult.Outcome = result.ending == .timedOut ? .timedOut : .failed
        return CommandResult(
            key: command.key, outcome: outcome, detail: "\(argv[0]) \(result.explanation)")
    }

    private func run(
        _ command: AgentCommand, deadline: BootInstant, goal: Goal
    ) async -> CommandResult {
        var result: CommandResult
        if let failure = await runProgram(command, deadline: deadline) {
            result = failure
        } else {
            result = await reach(goal, command, deadline: deadline)
        }
        if result.service == nil { result.service = await monitor.refresh() }
        return result
    }

    private func reach(
        _ goal: Goal, _ command: AgentCommand, deadline: BootInstant
    ) async -> CommandResult {
        if case .none = goal { return CommandResult(key: command.key, outcome: .succeeded) }
        let began = BootInstant.now
        var last = "the status command was not answered"
        while .now < deadline, !Task.isCancelled {
            let ticket = state.takeTicket()
            switch await monitor.status.read() {
            // A status program may also answer for a stopped service.
            case .reading where monitor.processes.mainProcess() == nil:
                last = "no main process of the service is alive"
            case .reading(let reading) where matches(reading, goal):
                let report = state.updateService(ticket: ticket) {
                    $0.probed(ProbeOutcome(failure: nil, reading: reading))
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
            return CommandResult(
                key: command.key, outcome: .failed, detail: "stopped by a later order")
        }
        return CommandResult(
            key: command.key, outcome: .timedOut,
            detail: "its program ended with 0, but after \(command.timeoutMs) ms \(last)")
    }

    private func matches(_ reading: StatusReading, _ goal: Goal) -> Bool {
        switch goal {
        case .none: true
        case .role(let role): reading.role == role
        case .anyRole: reading.role != .unknown
        }
    }

    // MARK: Stopping

    private func demote(_ command: AgentCommand, deadline: BootInstant) async -> CommandResult {
        state.suspendLease()
        defer { state.resumeLease() }
        if fencing.isStopped() {
            return stopped(command, method: "already_stopped")
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
        return stopped(command, method: "command")
    }

    private func fence(_ command: AgentCommand, deadline: BootInstant) async -> CommandResult {
        state.suspendLease()
        defer { state.resumeLease() }
        if fencing.isStopped() { return stopped(command, method: "already_stopped") }
        var detail = ""
        if state.configuration.commands[.fence] != nil {
            // Some of the time is kept for what the program leaves alive.
            let restMs = max(0, deadline - .now)
            let programDeadline = .now + max(restMs - 1000, restMs / 2)
            detail = await runProgram(command, deadline: programDeadline)?.detail ?? ""
        }
        let killed = await fencing.killAll()
        guard fencing.isStopped() else {
            return CommandResult(
                key: command.key, outcome: .failed,
                detail: "\(monitor.settle().report.detail). \(detail)", service: state.service)
        }
        return stopped(
            command, method: killed > 0 ? "killed" : "command", killed: killed, detail: detail)
    }

    private func stopped(
        _ command: AgentCommand, method: String, killed: Int64 = 0, detail: String = ""
    ) -> CommandResult {
        CommandResult(
            key: command.key, outcome: .succeeded, detail: detail,
            service: monitor.settle().report,
            receipt: FenceReceipt(
                nodeID: state.configuration.nodeID, bootID: state.bootID, epoch: command.epoch,
                method: method, processesKilled: killed))
    }
}
