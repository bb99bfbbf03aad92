import CLinux
import Glibc

/// State that several threads share, with a condition to wait for. Deadlines are monotonic, so a
/// clock that is set cannot stretch or cut a wait.
///
/// Invariant behind `@unchecked Sendable`: `state` is touched only while `mutex` is held, and the
/// two pointers never change between `init` and `deinit`.
final class Monitor<State: Sendable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        precondition(pthread_mutex_init(mutex, nil) == 0)
        precondition(pthread_condattr_init(&attributes) == 0)
        precondition(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0)
        precondition(pthread_cond_init(condition, &attributes) == 0)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Changes the state and wakes everybody who waits for it.
    func change<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let result = body(&state)
        pthread_cond_broadcast(condition)
        return result
    }

    /// Changes the state and wakes one of those who wait: enough where any of them will do.
    func changeForOne<Result>(_ body: (inout State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        let result = body(&state)
        pthread_cond_signal(condition)
        return result
    }

    /// Looks at the state without waking anybody.
    func read<Result>(_ body: (State) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(state)
    }

    /// Tries `body` now and after each change, until it gives a value or the deadline passes.
    /// Without a deadline it waits for as long as it takes. What `body` takes away wakes nobody.
    /// Never call it from a Swift task: it blocks the thread.
    func wait<Result>(
        untilNs deadlineNs: Int64?, _ body: (inout State) -> Result?
    ) -> Result? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            guard let deadlineNs else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            guard continuity_monotonic_ns() < deadlineNs else { return nil }
            var deadline = timespec(
                tv_sec: Int(deadlineNs / 1_000_000_000), tv_nsec: Int(deadlineNs % 1_000_000_000))
            pthread_cond_timedwait(condition, mutex, &deadline)
        }
    }
}
