import ContinuityCore
import ContinuityNode
import Logging

/// Watches over a fenced service until an order starts it: a service manager that starts a fenced
/// primary again must not bring it back.
///
/// Looks at the pid file only, some hundred times a minute, and asks the status program when a main
/// process has come up. One that comes up as a secondary is left alone.
struct Patrol: Sendable {
    /// Between two looks while the service is stopped, in milliseconds.
    static let intervalMs: Int64 = 20
    /// Between two looks at what has come up and is left alone, or is not fenced at all.
    static let restMs: Int64 = 500
    /// How long a service that would come up as a primary may stay without a role, in milliseconds,
    /// where it takes connections.
    static let rolelessLimitMs: Int64 = 2000

    let state: NodeState
    let monitor: ServiceMonitor
    let logger: Logger
    let fence: @Sendable (_ reason: String) async -> Bool

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            guard let fenced = state.fenced else {
                await pause(Self.restMs)
                continue
            }
            guard let main = monitor.processes.mainProcess() else {
                await pause(Self.intervalMs)
                continue
            }
            logger.warning(
                "something has started the fenced service", metadata: ["pid": "\(main.pid)"])
            await judge(main, fenced)
        }
    }

    /// Returns when the service is stopped, or found to be a secondary that has ended.
    private func judge(_ main: ProcessHandle, _ fenced: Fenced) async {
        let since = BootInstant.now
        while !Task.isCancelled, main.isAlive, state.fenced != nil {
            let report = await monitor.refresh()
            switch report.role {
            case .secondary: await pause(Self.restMs)
            case .primary:
                if !(await fence("it was fenced, and something else than an order started it")) {
                    await pause(Self.intervalMs)
                }
            case .unknown:
                if fenced.wasPrimary, .now - since > Self.rolelessLimitMs,
                    await takesConnections()
                {
                    _ = await fence(
                        "it was fenced as a primary, something started it, and its status program "
                            + "does not tell its role")
                }
                await pause(Self.intervalMs)
            }
        }
    }

    private func takesConnections() async -> Bool {
        guard let service = state.configuration.service else { return false }
        guard service.probesTCP else { return true }
        return await TCPProbe.failure(
            connectingTo: service.address, timeoutMs: service.probeTimeoutMs) == nil
    }

    private func pause(_ milliseconds: Int64) async {
        try? await Task.sleep(for: .milliseconds(milliseconds))
    }
}
