import ContinuityConfig
package import ContinuityCore
import Foundation
import Glibc
package import Logging

/// Runs hooks in the sandbox: one process for each invocation, never in this one.
///
/// At most `workers` invocations run at a time; further ones wait in a bounded queue, no longer
/// than their own wall budget.
package final class HookRuntime: Sendable {
    package static let workersMax = 64

    private let supervisor: SandboxSupervisor
    private let crew: ThreadCrew
    private let logger: Logger
    private let report: SandboxReport

    /// Starts the sandbox and waits until it is confined.
    ///
    /// - Parameter workers: how many invocations may run at once, and how many processes are kept
    ///   ready; 1 to 64.
    /// - Throws: `SandboxError` when the program is missing or this machine lacks a layer that
    ///   `strictness` requires. Other missing layers are logged and reported, see
    ///   `sandboxReport()`.
    package init(
        sandboxPath: String, workers: Int, strictness: SandboxStrictness = .standard,
        logger: Logger
    ) throws {
        precondition(workers >= 1 && workers <= Self.workersMax, "1 to 64 workers")
        self.logger = logger
        supervisor = SandboxSupervisor(path: sandboxPath, workers: workers, logger: logger)
        do {
            report = try supervisor.start()
            try strictness.check(report)
        } catch {
            supervisor.stop()
            throw error
        }
        crew = ThreadCrew(name: "hook", count: workers)
        if !report.missing.isEmpty {
            logger.warning(
                "the hook sandbox runs without some layers",
                metadata: ["missing": "\(report.missing.map(\.rawValue).joined(separator: ", "))"])
        }
    }

    deinit { shutdown() }

    /// The layers of confinement that are active.
    package func sandboxReport() -> SandboxReport { report }

    /// The sandbox's process id at the moment, for diagnostics.
    package var sandboxProcessID: Int32 { supervisor.processID }

    /// How well the idle workers keep up with the calls.
    package var poolTimes: PoolTimes { supervisor.times }

    /// Ends the sandbox and every invocation in it; they come out as `crash`. Blocks for a moment.
    /// Later invocations give `crash` at once.
    package func shutdown() {
        crew.stop()
        supervisor.stop()
    }

    /// Calls the function of `invocation.stage`. Never throws and never hangs: whatever goes wrong
    /// is an outcome.
    package func invoke(
        _ invocation: HookInvocation, broker: any HookBroker
    ) async -> HookOutcome {
        await run(invocation, broker: broker, coversLines: false).outcome
    }

    func run(
        _ invocation: HookInvocation, broker: any HookBroker, coversLines: Bool
    ) async -> InvocationResult {
        let configuration: [String: JSONValue]
        var problem: String?
        do throws(HookConfigProblem) {
            configuration = try invocation.pack.manifest.config.resolve(invocation.configuration)
        } catch {
            configuration = invocation.configuration
            problem = "configuration: \(error)"
        }
        if !invocation.pack.manifest.stages.contains(invocation.stage) {
            problem =
                "the pack '\(invocation.pack.manifest.name)' does not declare the stage "
                + "'\(invocation.stage.rawValue)'"
        } else if invocation.context.object == nil {
            problem = "the context is not a JSON object"
        } else if invocation.context.hasNULInKey || JSONValue.object(configuration).hasNULInKey {
            problem =
                "the context or the configuration has a key with a NUL character, which "
                + "cannot be handed to a script"
        }
        let session = InvocationSession(
            invocation, configuration: configuration, broker: broker, supervisor: supervisor,
            coversLines: coversLines)
        if let problem { return InvocationResult(session.outcome(.error, error: problem)) }
        return await run(session, wallMs: invocation.wallMs)
    }

    private func run(_ session: InvocationSession, wallMs: Int64) async -> InvocationResult {
        await withCheckedContinuation { continuation in
            let admission = crew.submit(
                run: { session.run { continuation.resume(returning: $0) } },
                dropped: {
                    continuation.resume(
                        returning: InvocationResult(
                            session.outcome(
                                .crash,
                                error:
                                    "no sandbox worker was free within \(wallMs) ms: all are in use, or "
                                    + "the machine is too busy")))
                })
            // Most find a thread at once and need no timer.
            guard case .queued(let ticket) = admission else { return }
            let crew = crew
            Task {
                try await Task.sleep(for: .milliseconds(wallMs))
                crew.withdraw(ticket: ticket)
            }
        }
    }
}

extension HookRuntime {
    /// The environment variable that names the sandbox program.
    package static let sandboxPathVariable = "CONTINUITY_HOOK_SANDBOX"

    /// Where the sandbox program is expected: as the environment says, else ``CompanionProgram/path(_:)``.
    package static func defaultSandboxPath() -> String {
        if let path = getenv(sandboxPathVariable).map({ String(cString: $0) }), !path.isEmpty {
            return path
        }
        return CompanionProgram.path("continuity-hook-sandbox")
    }
}
