import ContinuityCore
import Synchronization

/// What waits for the driver, in the order of its arrival. Bounded: whoever comes when it is full
/// is told so, instead of the process growing without end.
final class Inbox: Sendable {
    static let limit = 10_000

    enum Item: Sendable {
        case input(Input, reply: CheckedContinuation<Reply?, any Error>?)
        /// A look at the orchestrator between two steps.
        case query(@Sendable (borrowing Orchestrator) -> Void)
    }

    struct Overloaded: Error, CustomStringConvertible {
        var description: String { "the server has more to do than it can take; try again" }
    }

    struct Closed: Error, CustomStringConvertible {
        var description: String { "the server is stopping" }
    }

    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation
    private let waiting = Mutex((count: 0, ticks: 0))

    init() {
        (items, continuation) = AsyncStream.makeStream(of: Item.self)
    }

    /// Submits an input whose answer nobody waits for. It is never refused: these are the results
    /// of our own effects, whose number is bounded by what is under way.
    func submit(_ input: Input) {
        waiting.withLock { $0.count += 1 }
        continuation.yield(.input(input, reply: nil))
    }

    /// Ticks do not pile up behind a step that takes long.
    func tick() {
        let isNeeded = waiting.withLock { state in
            guard state.ticks == 0 else { return false }
            state.ticks = 1
            state.count += 1
            return true
        }
        if isNeeded { continuation.yield(.input(.tick, reply: nil)) }
    }

    func ask(_ input: Input) async throws -> Reply? {
        try admit()
        return try await withCheckedThrowingContinuation { reply in
            yield(.input(input, reply: reply)) { reply.resume(throwing: Closed()) }
        }
    }

    func query<Value: Sendable>(
        _ body: @escaping @Sendable (borrowing Orchestrator) -> Value
    ) async throws -> Value {
        try admit()
        return try await withCheckedThrowingContinuation { reply in
            yield(.query({ reply.resume(returning: body($0)) })) {
                reply.resume(throwing: Closed())
            }
        }
    }

    /// To be called for each item that was taken.
    func took(_ item: Item) {
        waiting.withLock { state in
            state.count -= 1
            if case .input(.tick, _) = item { state.ticks = 0 }
        }
    }

    func close() { continuation.finish() }

    private func admit() throws {
        try waiting.withLock { state in
            guard state.count < Self.limit else { throw Overloaded() }
            state.count += 1
        }
    }

    private func yield(_ item: Item, ifClosed: () -> Void) {
        if case .terminated = continuation.yield(item) { ifClosed() }
    }
}
