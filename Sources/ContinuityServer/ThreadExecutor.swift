import CLinux
import Dispatch
import Foundation
import Synchronization

/// A thread of its own for a task whose steps block, on fsync above all: on Swift's cooperative
/// pool, which has a thread a core, each of them would keep everybody else waiting.
///
/// One stands as long as the process: its thread does not end.
final class ThreadExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])
    private let available = DispatchSemaphore(value: 0)

    init(name: String) {
        let thread = Thread { [self] in
            continuity_name_thread(name)
            while true {
                available.wait()
                let job = jobs.withLock { $0.removeFirst() }
                job.runSynchronously(on: asUnownedTaskExecutor())
            }
        }
        thread.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        available.signal()
    }
}
