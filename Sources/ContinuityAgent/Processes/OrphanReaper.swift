import CLinux
import Foundation
import Glibc
import Synchronization

/// Takes the exit status of orphans that the agent adopted.
///
/// A daemon that a command leaves behind becomes an orphan. Where process 1 reaps slowly its
/// zombie stays for a second or more, and a program that asks `kill(pid, 0)` takes the dead
/// service for a live one and refuses to start. So the agent adopts such orphans and reaps them.
/// It must never take the status of a program that `ProgramRunner` waits for: those are known
/// here from before they are started until they are reaped.
final class OrphanReaper: Sendable {
    /// Children belong to the whole process, and so does the one that reaps them.
    static let shared = OrphanReaper()

    private struct State {
        var isAdopting = false
        /// Programs that are about to be started and have no number yet.
        var launching = 0
        var ours: Set<pid_t> = []
    }

    private let state = Mutex(State())

    /// From now on orphans of this process's descendants become its children.
    /// - Returns: whether the kernel agreed.
    func adoptOrphans() -> Bool {
        guard continuity_adopt_orphans() == 0 else { return false }
        state.withLock { $0.isAdopting = true }
        return true
    }

    func willLaunch() { state.withLock { $0.launching += 1 } }

    func didLaunch(_ pid: pid_t) {
        state.withLock {
            $0.launching -= 1
            $0.ours.insert(pid)
        }
    }

    func launchFailed() { state.withLock { $0.launching -= 1 } }
    func didReap(_ pid: pid_t) { _ = state.withLock { $0.ours.remove(pid) } }

    /// Reaps what has ended. Cheap: reads the list of this process's own children.
    func reap() {
        state.withLock { state in
            guard state.isAdopting, state.launching == 0 else { return }
            for pid in children() where !state.ours.contains(pid) {
                _ = continuity_reap(pid)
            }
        }
    }

    /// Live adopted orphans whose program was started with `tag` in its environment.
    ///
    /// A program that was killed while it started the service can leave a process that has not
    /// entered the service's directory yet: a scan by directory does not see it, this does.
    func adopted(tag: String) -> [pid_t] {
        state.withLock { state in
            guard state.isAdopting else { return [] }
            let wanted = Array("\(Self.tagVariable)=\(tag)".utf8)
            return children().filter { pid in
                guard !state.ours.contains(pid),
                    let data = FileManager.default.contents(atPath: "/proc/\(pid)/environ")
                else { return false }
                return data.split(separator: 0).contains { $0.elementsEqual(wanted) }
            }
        }
    }

    static let tagVariable = "CONTINUITY_AGENT_BOOT_ID"

    private func children() -> [pid_t] {
        let tasks = "/proc/self/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.flatMap { thread -> [pid_t] in
            let text = try? String(contentsOfFile: "\(tasks)/\(thread)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
        }
    }
}
