import Synchronization

/// Wakes one waiting loop. Several signals before the loop looks count as one.
final class Wakeup: Sendable {
    private struct State {
        var signalled = false
        /// The wait in progress is over without a signal: deadline or cancellation.
        var released = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func signal() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiter = state.waiter else {
                state.signalled = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the next signal, after `timeout`, or when the task is cancelled.
    /// Only one task may wait at a time.
    func wait(atMost timeout: Duration) async {
        state.withLock { $0.released = false }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: timeout)) != nil else { return }
                self.release()
            }
            await withTaskCancellationHandler {
                await self.park()
            } onCancel: {
                self.release()
            }
            group.cancelAll()
        }
    }

    private func park() async {
        await withCheckedContinuation { continuation in
            let proceed = state.withLock { state -> Bool in
                precondition(state.waiter == nil, "one task at a time waits for a wakeup")
                if state.signalled || state.released {
                    state.signalled = false
                    return true
                }
                state.waiter = continuation
                return false
            }
            if proceed { continuation.resume() }
        }
    }

    private func release() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.released = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
