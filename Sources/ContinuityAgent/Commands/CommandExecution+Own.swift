import ContinuityCore
import ContinuityNode

/// The programs that the agent's `hook_commands` name: for hooks, which are granted them by name.
extension CommandExecution {
    /// A reading's output that is longer is a failure, since half an answer is none.
    static let readingBytesMax: Int64 = ProgramRunner.tailLimitBytes
    /// Of an effect's output, which is remembered with its result, this much is kept.
    static let effectBytesMax = 2 << 10

    func runOwn(_ command: AgentCommand, deadline: BootInstant) async -> CommandResult {
        func answer(
            _ outcome: CommandResult.Outcome, _ detail: String, output: String? = nil
        ) -> CommandResult {
            CommandResult(key: command.key, outcome: outcome, detail: detail, output: output)
        }
        let name = command.program ?? ""
        guard let own = state.configuration.hookCommands[name] else {
            return answer(.refused, "the agent's 'hook_commands' have no '\(name)'")
        }
        let wantsReading = command.readsOnly == true
        guard wantsReading == own.readsOnly else {
            return answer(
                .refused,
                wantsReading
                    ? "'\(name)' may change something: its configuration has no 'reads_only: true'"
                    : "'\(name)' only reads: ask for it with ctx.agent.read")
        }
        guard let argv = own.template.arguments(with: CommandTemplate.values(of: command)) else {
            return answer(.failed, "'\(name)' uses a placeholder that only other commands have")
        }
        let result = await ProgramRunner.run(
            argv: argv, environment: own.template.environment.merging(environment) { $1 },
            timeoutMs: min(own.template.timeoutMs, deadline - .now))
        guard result.succeeded else {
            return answer(
                result.ending == .timedOut ? .timedOut : .failed,
                "\(argv[0]) \(result.explanation)")
        }
        if own.readsOnly {
            guard result.outputSize <= Self.readingBytesMax else {
                return answer(
                    .failed, "\(argv[0]) printed more than \(Self.readingBytesMax) bytes")
            }
            return answer(
                .succeeded, "", output: String(decoding: result.output, as: UTF8.self))
        }
        var done = answer(
            .succeeded, "",
            output: String(decoding: result.output.prefix(Self.effectBytesMax), as: UTF8.self))
        done.service = await monitor.refresh()
        return done
    }
}
