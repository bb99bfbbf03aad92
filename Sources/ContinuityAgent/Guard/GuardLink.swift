import CLinux
import ContinuityNode
import Foundation
import Glibc
import Logging
import Synchronization

/// Starts the guard process, tells it the deadline at each change, and starts it anew when it
/// dies or stops answering.
///
/// Runs on a thread of its own: when Swift's threads are all busy the guard must still hear.
final class GuardLink: Sendable {
    /// Between two orders without news, in milliseconds.
    static let heartbeatMs: Int64 = 200
    /// A guard that does not answer for so long is killed and replaced, in milliseconds.
    static let patienceMs: Int64 = 1000
    /// Between two starts, so that a guard that cannot live does not eat the machine.
    private static let restartPauseMs: Int64 = 100

    private struct Process {
        let pid: pid_t
        let socket: CInt
        var sequence: UInt32 = 0
        /// When the oldest order was sent that has no answer yet.
        var unansweredSince: BootInstant?
        var hasAnswered = false
        var sentAt: BootInstant?
        var deadline: BootInstant?
    }

    private struct Storage {
        var process: Process?
        var status = GuardStatus(state: .degraded, detail: "it is being started")
        var isEnding = false
    }

    private let configuration: GuardConfiguration
    private let directory: String
    private let leaseFile: String
    private let agentID: String
    private let logger: Logger
    private let storage = Mutex(Storage())

    init(
        configuration: GuardConfiguration, directory: String, leaseFile: String, agentID: String,
        logger: Logger
    ) {
        self.configuration = configuration
        self.directory = directory
        self.leaseFile = leaseFile
        self.agentID = agentID
        self.logger = logger
    }

    var status: GuardStatus { storage.withLock(\.status) }

    /// Tells the guard a deadline, if it is another than before. Never waits.
    func tell(_ deadline: BootInstant?) {
        storage.withLock { storage in
            guard let process = storage.process, process.deadline != deadline else { return }
            send(deadline, &storage)
        }
    }

    /// Starts the thread, which runs until `release` or `abandon`.
    ///
    /// - Parameter deadline: what the guard has to know at this moment.
    func start(deadline: @escaping @Sendable () -> BootInstant?) {
        let thread = Thread { [self] in
            while !storage.withLock(\.isEnding) { keep(deadline) }
        }
        thread.name = "guard-link"
        thread.start()
    }

    /// - Returns: whether the guard answered within `milliseconds`.
    func waitUntilGuarding(atMost milliseconds: Int64) async -> Bool {
        let limit = BootInstant.now + milliseconds
        while .now < limit {
            if status.state != .degraded { return true }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return false
    }

    /// The agent ends in order and nothing is left to guard: the guard ends too.
    func release() {
        end { process in
            var order = continuity_guard_order(
                kind: UInt32(CONTINUITY_GUARD_RELEASE), sequence: process.sequence &+ 1,
                deadline_boot_ms: 0)
            _ = continuity_send_packet(process.socket, &order, MemoryLayout.size(ofValue: order))
            var entry = pollfd(fd: process.socket, events: 0, revents: 0)
            // Its end closes the socket. One that hangs is not needed any more.
            if poll(&entry, 1, 500) == 0 { kill(process.pid, SIGKILL) }
            continuity_kill_and_reap(process.pid)
            OrphanReaper.shared.didReap(process.pid)
        }
    }

    /// The agent ends and could not stop its primary: the guard stays and fences at the deadline.
    func abandon() { end { _ in } }

    private func end(_ farewell: (Process) -> Void) {
        storage.withLock { storage in
            storage.isEnding = true
            if let process = storage.process {
                farewell(process)
                close(process.socket)
            }
            storage.process = nil
        }
    }

    // MARK: The thread

    private func keep(_ deadline: () -> BootInstant?) {
        guard let socket = storage.withLock({ $0.process?.socket }) else {
            guard spawn() else { return pause() }
            let first = deadline()
            return storage.withLock { send(first, &$0) }
        }
        var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, 50)
        // The lock is taken for each step alone: `deadline` takes that of the agent's state, under
        // which `tell` takes this one.
        let next = deadline()
        let diesYoung = storage.withLock { storage -> Bool in
            guard !storage.isEnding, storage.process?.socket == socket else { return false }
            guard receive(&storage) else { return replace("it ended", &storage) }
            let now = BootInstant.now
            if let since = storage.process?.unansweredSince, now - since > Self.patienceMs {
                return replace("it did not answer for \(now - since) ms", &storage)
            }
            guard let process = storage.process else { return false }
            if process.deadline != next || now - (process.sentAt ?? now) >= Self.heartbeatMs {
                send(next, &storage)
            }
            return false
        }
        // One that dies as soon as it is started must not be started in a tight loop.
        if diesYoung { pause() }
    }

    /// Blocks the link's own thread, which nothing else runs on.
    private func pause() { usleep(useconds_t(Self.restartPauseMs * 1000)) }

    private func spawn() -> Bool {
        var arguments = [configuration.program, "3", directory, leaseFile, agentID]
        if let watchdog = configuration.watchdog {
            arguments += [watchdog.device, String(watchdog.timeoutMs)]
        }
        var vector = arguments.map { strdup($0) } + [nil]
        defer { vector.forEach { free($0) } }
        OrphanReaper.shared.willLaunch()
        var socket: CInt = -1
        var pid: pid_t = -1
        let failure = continuity_spawn_program_with_socket(&vector, &socket, &pid)
        guard failure == 0 else {
            OrphanReaper.shared.launchFailed()
            let reason = "\(configuration.program): \(String(cString: strerror(failure)))"
            let isNews = storage.withLock { storage -> Bool in
                defer { storage.status.detail = reason }
                return storage.status.detail != reason
            }
            if isNews {
                logger.critical("no guard can be started", metadata: ["error": "\(reason)"])
            }
            return false
        }
        OrphanReaper.shared.didLaunch(pid)
        storage.withLock { storage in
            storage.process = Process(pid: pid, socket: socket)
            storage.status.pid = pid
        }
        return true
    }

    private func send(_ deadline: BootInstant?, _ storage: inout Storage) {
        guard var process = storage.process else { return }
        process.sequence &+= 1
        process.deadline = deadline
        let now = BootInstant.now
        process.sentAt = now
        process.unansweredSince = process.unansweredSince ?? now
        var order = continuity_guard_order(
            kind: UInt32(CONTINUITY_GUARD_WATCH), sequence: process.sequence,
            deadline_boot_ms: deadline?.milliseconds ?? 0)
        // What does not go out shows in the missing answer.
        _ = continuity_send_packet(process.socket, &order, MemoryLayout.size(ofValue: order))
        storage.process = process
    }

    /// Takes all answers that are there. - Returns: whether the guard lives.
    private func receive(_ storage: inout Storage) -> Bool {
        guard let socket = storage.process?.socket else { return true }
        while true {
            var answer = continuity_guard_answer()
            let size = MemoryLayout.size(ofValue: answer)
            let length = recv(socket, &answer, size, Int32(MSG_DONTWAIT))
            if length < 0, errno == EAGAIN || errno == EINTR { return true }
            guard length == size else { return false }
            storage.process?.unansweredSince = nil
            storage.process?.hasAnswered = true
            note(answer, &storage.status)
        }
    }

    private func note(_ answer: continuity_guard_answer, _ status: inout GuardStatus) {
        func has(_ flag: some BinaryInteger) -> Bool { answer.flags & UInt32(flag) != 0 }
        let before = status
        let fences = has(CONTINUITY_GUARD_FENCING) || has(CONTINUITY_GUARD_FENCED)
        status.state = fences ? .fencing : .guarding
        status.isLocked = has(CONTINUITY_GUARD_LOCKED)
        status.isUnkillable = has(CONTINUITY_GUARD_UNKILLABLE)
        status.isRealtime = has(CONTINUITY_GUARD_REALTIME)
        status.feedsWatchdog = has(CONTINUITY_GUARD_WATCHDOG)
        status.processesKilled = Int64(answer.killed)
        status.detail = ""
        guard before.state != status.state else { return }
        switch status.state {
        case .fencing: logger.critical("the guard fences: the deadline has passed")
        default:
            logger.info(
                "the guard answers",
                metadata: [
                    "pid": "\(status.pid ?? 0)", "memory_locked": "\(status.isLocked)",
                    "spared_when_out_of_memory": "\(status.isUnkillable)",
                ])
        }
    }

    /// - Returns: whether it had never answered.
    private func replace(_ reason: String, _ storage: inout Storage) -> Bool {
        guard let process = storage.process else { return false }
        continuity_kill_and_reap(process.pid)
        OrphanReaper.shared.didReap(process.pid)
        close(process.socket)
        storage.process = nil
        storage.status.state = .degraded
        storage.status.detail = reason
        storage.status.pid = nil
        storage.status.restarts += 1
        logger.error("the guard is replaced", metadata: ["reason": "\(reason)"])
        return !process.hasAnswered
    }
}
