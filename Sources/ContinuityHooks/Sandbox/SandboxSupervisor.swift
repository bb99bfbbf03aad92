import CLinux
import Foundation
import Glibc
import Logging

/// Keeps one zygote alive and its idle workers at hand.
///
/// One thread of its own starts the zygote, reads what it sends, and starts it again when it
/// dies. Everybody else only touches `state`.
final class SandboxSupervisor: Sendable {
    static let startTimeoutNs: Int64 = 10_000_000_000
    /// At most so many starts within the window; after that the sandbox stays down for its rest.
    static let startsMax = 8
    static let startWindowNs: Int64 = 60_000_000_000
    /// Workers that die before they get work, per zygote: beyond this the zygote is at fault.
    static let idleDeathsMax = 64

    private enum Lease: Sendable {
        case running
        /// The zygote has reaped it.
        case ended(WorkerEnd)
    }

    private struct State: Sendable {
        var socket: Int32 = -1
        var processID: pid_t = 0
        var generation: UInt64 = 0
        var report: SandboxReport?
        var startError: SandboxError?
        var idle: [SandboxWorker] = []
        /// Workers with an invocation.
        var leased: [UInt32: Lease] = [:]
        var idleDeaths = 0
        var startsNs: [Int64] = []
        var isStopped = false
        var hasEnded = false
        var times = PoolTimes()

        mutating func order() {
            var byte: UInt8 = 1
            guard socket >= 0 else { return }
            times.ordered(atNs: continuity_monotonic_ns())
            _ = continuity_send_packet(socket, &byte, 1)
        }
    }

    private let path: String
    private let workers: Int
    private let logger: Logger
    private let state = Monitor(State())

    init(path: String, workers: Int, logger: Logger) {
        self.path = path
        self.workers = workers
        self.logger = logger
    }

    var report: SandboxReport? { state.read(\.report) }
    var processID: pid_t { state.read(\.processID) }
    var times: PoolTimes { state.read(\.times) }

    // MARK: Start and stop

    /// Starts the zygote and waits until it is confined.
    func start() throws(SandboxError) -> SandboxReport {
        let thread = Thread { [self] in run() }
        thread.name = "hook-sandbox"
        thread.start()
        let deadlineNs = continuity_monotonic_ns() + Self.startTimeoutNs
        let outcome: Result<SandboxReport, SandboxError>? = state.wait(untilNs: deadlineNs) {
            if let error = $0.startError { return .failure(error) }
            return $0.report.map { .success($0) }
        }
        guard let outcome else {
            stop()
            throw SandboxError(
                message: "the hook sandbox \(path) did not report within 10 s",
                remedy: "check that it is the program that was built with this version")
        }
        return try outcome.get()
    }

    /// Ends the zygote, and with it all workers. Returns once it is reaped.
    func stop() {
        state.change { state in
            state.isStopped = true
            if state.socket >= 0 { shutdown(state.socket, Int32(SHUT_RDWR)) }
        }
        _ = state.wait(untilNs: continuity_monotonic_ns() + Self.startTimeoutNs) {
            $0.hasEnded ? true : nil
        }
    }

    // MARK: Workers

    /// Takes an idle worker. `nil`: none came before the deadline.
    func lease(deadlineNs: Int64) -> SandboxWorker? {
        let found: SandboxWorker?? = state.wait(untilNs: deadlineNs) { state in
            while !state.idle.isEmpty {
                let worker = state.idle.removeFirst()
                if worker.hasEnded {
                    worker.killAndClose()
                    state.order()
                    continue
                }
                state.leased[worker.number] = .running
                if state.idle.isEmpty { state.times.emptied(atNs: continuity_monotonic_ns()) }
                return .some(worker)
            }
            return state.isStopped ? .some(nil) : nil
        }
        return found ?? nil
    }

    /// Waits for the zygote's word on how a leased worker ended. `nil`: none came, as when the
    /// zygote died too.
    func end(of worker: SandboxWorker, deadlineNs: Int64) -> WorkerEnd? {
        let end: WorkerEnd?? = state.wait(untilNs: deadlineNs) { state in
            guard state.generation == worker.generation,
                let lease = state.leased[worker.number]
            else { return .some(nil) }
            guard case .ended(let end) = lease else { return nil }
            return .some(end)
        }
        return end ?? nil
    }

    /// Kills a leased worker, if it lives, forgets it, and orders its successor: only now, so that
    /// the fork does not compete with the invocation for a processor.
    func retire(_ worker: SandboxWorker) {
        worker.killAndClose()
        state.change { state in
            guard state.generation == worker.generation else { return }
            state.leased[worker.number] = nil
            state.order()
        }
    }

    // MARK: The thread

    private func run() {
        while awaitStartBudget() {
            guard launch() else {
                // A sandbox that never ran is a mistake to report; one that ran is tried again.
                if state.read({ $0.report == nil }) { break }
                continue
            }
            receiveUntilClosed()
            let processID = bury()
            continuity_kill_and_reap(processID)
            let isStopped = state.read(\.isStopped)
            if state.read({ $0.report == nil }) { break }
            if !isStopped { logger.error("the hook sandbox died; starting it again") }
        }
        state.change { state in
            if state.report == nil, state.startError == nil {
                state.startError = SandboxError(
                    message: "the hook sandbox \(path) ended before it reported",
                    remedy: "run it with --self-test to see what this machine denies it")
            }
            state.hasEnded = true
        }
    }

    /// Waits while the sandbox has been started too often of late. `false`: stopped meanwhile.
    private func awaitStartBudget() -> Bool {
        let nowNs = continuity_monotonic_ns()
        let waitUntilNs: Int64 = state.change { state in
            state.startsNs.removeAll { $0 < nowNs - Self.startWindowNs }
            let oldest = state.startsNs.first ?? nowNs
            return state.startsNs.count < Self.startsMax ? nowNs : oldest + Self.startWindowNs
        }
        if waitUntilNs > nowNs {
            logger.critical(
                "the hook sandbox died \(Self.startsMax) times within a minute; hooks are down",
                metadata: ["retry_in_ms": "\((waitUntilNs - nowNs) / 1_000_000)"])
        }
        let isStopped =
            state.wait(untilNs: waitUntilNs) { $0.isStopped ? true : nil } ?? false
        return !isStopped
    }

    private func launch() -> Bool {
        var socket: Int32 = -1
        var processID: pid_t = 0
        let failure = continuity_spawn_with_socket(path, String(workers), &socket, &processID)
        return state.change { state in
            state.startsNs.append(continuity_monotonic_ns())
            guard failure == 0 else {
                state.startError = SandboxError(
                    message: "cannot start the hook sandbox \(path): "
                        + String(cString: strerror(failure)),
                    remedy: "install continuity-hook-sandbox beside continuity, or name it with "
                        + "CONTINUITY_HOOK_SANDBOX")
                return false
            }
            state.socket = socket
            state.processID = processID
            state.generation += 1
            state.idleDeaths = 0
            // Stopped meanwhile: the reading loop finds the socket closed at once.
            if state.isStopped { shutdown(socket, Int32(SHUT_RDWR)) }
            return true
        }
    }

    private func receiveUntilClosed() {
        let socket = state.read(\.socket)
        var bytes = [UInt8](repeating: 0, count: ControlMessage.byteCount)
        while true {
            var length = 0
            var descriptors: [Int32] = [-1, -1]
            let result = continuity_receive_packet(
                socket, &bytes, bytes.count, &length, &descriptors, Int64.max)
            guard result == Int32(CONTINUITY_IO_DONE) else { return }
            let message = bytes.withUnsafeBytes { all in
                ControlMessage(UnsafeRawBufferPointer(rebasing: all[..<length]))
            }
            guard let message, take(message, descriptors) else {
                for descriptor in descriptors where descriptor >= 0 { close(descriptor) }
                return
            }
        }
    }

    /// `false`: the zygote is at fault and shall end.
    private func take(_ message: ControlMessage, _ descriptors: [Int32]) -> Bool {
        state.change { state in
            switch message.kind {
            case .hello:
                let report = SandboxReport(layers: message.amount)
                guard report.holds(.seccomp) else {
                    state.startError = SandboxError(
                        message: "seccomp is not available, so hooks cannot be confined",
                        remedy: SandboxLayer.seccomp.remedy)
                    return false
                }
                state.report = report
            case .worker:
                guard descriptors[0] >= 0, descriptors[1] >= 0 else { return false }
                state.times.arrived(atNs: continuity_monotonic_ns())
                state.idle.append(
                    SandboxWorker(
                        generation: state.generation, number: message.worker,
                        socket: descriptors[0], pidfd: descriptors[1]))
            case .ended:
                let end = WorkerEnd(
                    status: message.value, cpuUs: Int64(clamping: message.amount))
                if state.leased[message.worker] != nil {
                    state.leased[message.worker] = .ended(end)
                } else if let index = state.idle.firstIndex(where: { $0.number == message.worker })
                {
                    state.idle.remove(at: index).killAndClose()
                    state.idleDeaths += 1
                    guard state.idleDeaths < Self.idleDeathsMax else { return false }
                    state.order()
                }
            }
            return true
        }
    }

    /// Forgets the zygote and its workers. Returns its process id, for reaping.
    private func bury() -> pid_t {
        state.change { state in
            close(state.socket)
            state.socket = -1
            for worker in state.idle { worker.killAndClose() }
            state.idle = []
            state.leased = [:]
            state.generation += 1
            return state.processID
        }
    }
}
