import ContinuityCore
import ContinuityHTTP
import ContinuityNode
import Glibc
import Logging
import Synchronization

/// Watches the service: its death through the kernel, everything else by probes at the interval.
final class ServiceMonitor: Sendable {
    let processes: ServiceProcesses
    let status: StatusReader
    private let state: NodeState
    private let http: HTTPClient
    private let logger: Logger
    private let watched = Mutex<ProcessHandle?>(nil)
    private let watchAnew = Wakeup()

    init(state: NodeState, status: StatusReader, http: HTTPClient, logger: Logger) {
        // A witness's agent never looks.
        let service = state.configuration.service
        self.processes = ServiceProcesses(
            directory: service?.directory ?? "/nonexistent",
            pidFile: service?.pidFile ?? "/nonexistent/pid")
        self.status = status
        self.state = state
        self.http = http
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchMainProcess() }
            group.addTask {
                while !Task.isCancelled {
                    await self.refresh()
                    try? await Task.sleep(for: .milliseconds(self.state.intervalMs))
                }
            }
        }
    }

    // MARK: Probing

    /// Looks at the service anew.
    @discardableResult
    func refresh() async -> ServiceReport { await look().report }

    /// Looks at the service anew, and says what was wrong with this one look. The report alone
    /// does not: after a single failure it still tells what was seen before.
    func look() async -> (report: ServiceReport, failure: String?) {
        OrphanReaper.shared.reap()
        guard !state.configuration.isWitness else { return (state.service, nil) }
        let ticket = state.takeTicket()
        guard let main = currentMainProcess() else { return (settle().report, nil) }
        let askedAt = BootInstant.now
        let outcome = await probe()
        // It may have died meanwhile; what the probes say of it then is history.
        guard main.isAlive else { return (settle().report, nil) }
        var report = state.updateService(ticket: ticket) {
            $0.probed(outcome, askedAt: askedAt, at: .now)
        }
        if let reading = outcome.reading {
            let lagMs = report.lagMs
            report.take(reading)
            report.lagMs = report.lagMs.map { min($0, lagMs ?? $0) }
            // Who asks what is true now must not hear what was true before; but a primary counts as
            // one until it is seen otherwise.
            if reading.role == .unknown, report.role != .primary { report.role = .unknown }
        }
        return (report, outcome.failure)
    }

    private func probe() async -> ProbeOutcome {
        guard let service = state.configuration.service else {
            return ProbeOutcome(failure: nil, reading: nil)
        }
        async let tcp =
            service.probesTCP
            ? TCPProbe.failure(connectingTo: service.address, timeoutMs: service.probeTimeoutMs)
            : nil
        async let web = httpFailure(service)
        let answer = await status.read()
        var failure = await tcp
        if failure == nil { failure = await web }
        if failure == nil, case .failure(let reason) = answer { failure = reason }
        return ProbeOutcome(failure: failure, reading: answer.reading)
    }

    private func httpFailure(_ service: AgentConfiguration.Service) async -> String? {
        guard let url = service.probeURL else { return nil }
        let timeout = Duration.milliseconds(service.probeTimeoutMs)
        do {
            let response = try await http.send(
                HTTPRequest(
                    url: url, timeout: timeout, connectTimeout: timeout, maxResponseBytes: 1 << 20))
            return response.isSuccess ? nil : "\(url) answered \(response.status)"
        } catch {
            return "\(url): \(error)"
        }
    }

    // MARK: Processes

    /// The live main process by the pid file, which from now on is watched.
    private func currentMainProcess() -> ProcessHandle? {
        let recorded = processes.recordedPID()
        if let known = watched.withLock(\.self), known.pid == recorded, known.isAlive {
            return known
        }
        let found = processes.mainProcess()
        watched.withLock { $0 = found }
        if found != nil { watchAnew.signal() }
        return found
    }

    /// Records what is left of a service whose main process does not live.
    @discardableResult
    func settle() -> (report: ServiceReport, isStopped: Bool) {
        let ticket = state.takeTicket()
        OrphanReaper.shared.reap()
        let scan = processes.scan()
        let report = state.updateService(ticket: ticket) { tracker in
            if scan.isEmpty {
                tracker.stopped(detail: "no process of the service is alive")
            } else if scan.alive.isEmpty {
                tracker.lingering(
                    detail: "\(scan.hidden.count) processes of the service's user cannot be "
                        + "looked into; run the agent as that user or as root")
            } else {
                tracker.lingering(
                    detail: "the main process is gone, \(scan.count) processes of the service "
                        + "are still alive")
            }
        }
        return (report, scan.isEmpty)
    }

    private func watchMainProcess() async {
        while !Task.isCancelled {
            guard let main = currentMainProcess() else {
                await watchAnew.wait(atMost: .milliseconds(state.intervalMs))
                continue
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await main.waitUntilDead() }
                group.addTask { await self.watchAnew.wait(atMost: .seconds(3600)) }
                await group.next()
                group.cancelAll()
            }
            if !main.isAlive, !Task.isCancelled { await mainProcessDied(main.pid) }
        }
    }

    /// Children outlive their parent by a moment: looks again quickly for a second, then leaves
    /// it to the interval.
    private func mainProcessDied(_ pid: pid_t) async {
        var (report, isStopped) = settle()
        logger.warning(
            "the service's main process ended",
            metadata: ["pid": "\(pid)", "state": "\(report.state)"])
        let deadline = BootInstant.now + 1000
        var pauseMs: Int64 = 2
        while !isStopped, BootInstant.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(pauseMs))
            pauseMs = min(pauseMs * 2, 50)
            // Somebody may have started it again.
            if processes.mainProcess() != nil { return }
            (report, isStopped) = settle()
        }
    }
}
