import Synchronization

/// Holds whoever waits until it is opened, or until the waiting task is cancelled.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [AsyncStream<Never>.Continuation] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        waiting.forEach { $0.finish() }
    }

    func wait() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        state.withLock { state in
            if state.isOpen { continuation.finish() } else { state.waiting.append(continuation) }
        }
        for await _ in stream {}
    }
}

/// Values in the order of their arrival, to be awaited one by one by one test.
final class Events<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func add(_ value: Value) { continuation.yield(value) }

    func next(_ count: Int) async -> [Value] {
        var values: [Value] = []
        var iterator = stream.makeAsyncIterator()
        while values.count < count, let value = await iterator.next() { values.append(value) }
        return values
    }

    func next() async -> Value? { await next(1).first }
}
