import CLinux
import Dispatch
import Foundation
import Glibc

/// A hold on one process by its descriptor, so that its number can be reused without harm.
final class ProcessHandle: Sendable {
    let pid: pid_t
    private let descriptor: CInt

    /// `nil` when there is no such process. A zombie gives a handle that is dead at once.
    init?(pid: pid_t) {
        let descriptor = continuity_pidfd_open(pid)
        guard descriptor >= 0 else { return nil }
        self.pid = pid
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    var isAlive: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    /// - Returns: whether the signal reached a process that was still alive.
    @discardableResult
    func send(signal: CInt) -> Bool {
        isAlive && continuity_pidfd_send_signal(descriptor, signal) == 0
    }

    /// Returns as soon as the kernel knows the process to have ended, or when the task is
    /// cancelled.
    func waitUntilDead() async {
        let source = DispatchSource.makeReadSource(
            fileDescriptor: descriptor, queue: .global(qos: .userInteractive))
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        source.setEventHandler { continuation.finish() }
        // The descriptor must stay open until the source has let go of it.
        source.setCancelHandler { withExtendedLifetime(self) {} }
        source.activate()
        for await _ in stream {}
        source.cancel()
    }

    /// - Returns: whether it ended within `milliseconds`.
    func waitUntilDead(atMost milliseconds: Int64) async -> Bool {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.waitUntilDead() }
            group.addTask { try? await Task.sleep(for: .milliseconds(milliseconds)) }
            await group.next()
            group.cancelAll()
        }
        return !isAlive
    }
}
