import Synchronization

/// Wakes those who wait for the journal to grow.
final class HeadSignal: Sendable {
    private struct State {
        var seq: Int64 = 0
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// The last entry that became durable since the start; 0: none has.
    var seq: Int64 { state.withLock(\.seq) }

    func advance(to seq: Int64) {
        let waiters = state.withLock { state in
            state.seq = seq
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the journal has an entry after `seq`, or `waitMs` are over.
    func wait(after seq: Int64, waitMs: Int64) async {
        await withTaskGroup { group in
            group.addTask { await self.wait(after: seq) }
            group.addTask { try? await Task.sleep(for: .milliseconds(waitMs)) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait(after seq: Int64) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDue = state.withLock { state in
                    if state.seq > seq || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isDue { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}
