import CLinux
import ContinuityNode
import Foundation
import Glibc

/// Makes sure that nothing of the service is alive, and proves it by looking.
struct Fencing: Sendable {
    /// Killing and waiting for the dead to be gone, in milliseconds. A process that survives
    /// SIGKILL this long hangs in the kernel; the next fence tries again.
    static let killLimitMs: Int64 = 5000

    /// How long one process is waited for before it is looked at what keeps it, in milliseconds.
    private static let deathLimitMs: Int64 = 100

    let processes: ServiceProcesses
    /// Marks the programs of this agent, see `OrphanReaper.adopted`.
    let tag: String

    /// Live processes of the service, and what commands left behind that could become one.
    private func remaining() -> ServiceProcesses.Scan {
        OrphanReaper.shared.reap()
        var scan = processes.scan()
        for pid in OrphanReaper.shared.adopted(tag: tag) where !scan.alive.contains(pid) {
            if let handle = ProcessHandle(pid: pid), handle.isAlive { scan.alive.append(pid) }
        }
        return scan
    }

    /// Why nothing of the service can accept a write any more.
    enum Proof: Equatable, Sendable {
        case stopped
        /// What remains hangs in the kernel with SIGKILL pending: it runs no instruction of its own
        /// again. With network storage that is gone this can last for ever.
        case killPending([pid_t])
    }

    /// Where the kernel tells of processes; another folder in tests.
    var proc = "/proc"

    /// Two looks in a row must say the same, as for ``isStopped()``. `nil`: there is no proof.
    func proof() -> Proof? {
        if isStopped() { return .stopped }
        let first = doomed()
        guard let first, first == doomed() else { return nil }
        return first.isEmpty ? .stopped : .killPending(first)
    }

    /// All that remains, when each of it only waits to die; `nil` when something may still act.
    private func doomed() -> [pid_t]? {
        let scan = remaining()
        guard scan.hidden.isEmpty else { return nil }
        let pending = scan.alive.filter { continuity_kill_is_pending(proc, $0) == 1 }
        return pending.count == scan.alive.count ? pending.sorted() : nil
    }

    /// Whether two looks in a row find nothing: one look can miss a process that is forked during
    /// it by one that ends during it.
    func isStopped() -> Bool { remaining().isEmpty && remaining().isEmpty }

    /// Waits for the service to end by itself.
    func waitUntilStopped(deadline: BootInstant) async -> Bool {
        if let main = processes.mainProcess() {
            _ = await main.waitUntilDead(atMost: max(1, deadline - .now))
        }
        var pauseMs: Int64 = 1
        while !Task.isCancelled {
            if isStopped() { return true }
            guard .now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(pauseMs))
            pauseMs = min(pauseMs * 2, 20)
        }
        return false
    }

    /// Sends SIGKILL to all that remains until nothing does.
    ///
    /// - Returns: how many processes were killed.
    func killAll() async -> Int64 {
        let deadline = BootInstant.now + Self.killLimitMs
        var killed: Set<pid_t> = []
        while .now < deadline {
            let handles = remaining().alive.compactMap { ProcessHandle(pid: $0) }
            // The handles fix who is meant; this second look rules out that a number was reused
            // between the first look and the handle.
            let still = Set(remaining().alive)
            for handle in handles where still.contains(handle.pid) {
                if handle.send(signal: SIGKILL) { killed.insert(handle.pid) }
            }
            for handle in handles where still.contains(handle.pid) {
                // One that hangs in the kernel must not use up the time of the others.
                _ = await handle.waitUntilDead(
                    atMost: max(1, min(Self.deathLimitMs, deadline - .now)))
            }
            if proof() != nil { break }
            // Nothing to kill that may be looked into, or a corpse that is not yet cleared away.
            try? await Task.sleep(for: .milliseconds(handles.isEmpty ? 20 : 1))
        }
        return Int64(killed.count)
    }
}
