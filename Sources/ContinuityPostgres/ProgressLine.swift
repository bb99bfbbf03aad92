import Synchronization

/// Says how far a copy is, every ten seconds: what a person reads while it takes hours.
final class ProgressLine: Sendable {
    private struct State {
        var started = ContinuousClock.now
        var told = ContinuousClock.now
        var total: UInt64 = 0
    }

    private let state = Mutex(State())
    private let say: @Sendable (String) -> Void

    init(_ say: @escaping @Sendable (String) -> Void) { self.say = say }

    /// The last known size, in bytes.
    var total: UInt64 { state.withLock(\.total) }

    func note(_ done: UInt64, of total: UInt64) {
        let line: String? = state.withLock { state in
            state.total = total
            let now = ContinuousClock.now
            guard now - state.told >= .seconds(10) else { return nil }
            state.told = now
            let seconds = max(1, UInt64((now - state.started).components.seconds))
            return "copied \(Bytes.text(done)) of \(Bytes.text(total)), "
                + "\(Bytes.text(done / seconds)) a second"
        }
        if let line { say(line) }
    }
}
