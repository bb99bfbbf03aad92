import ContinuityAPI
import ContinuityCore
import Synchronization

/// What waits for the driver, in the order of its arrival. Bounded: whoever comes when it is full
/// is told so, instead of the process growing without end. Whoever waits when it closes is told
/// that, too.
final class Inbox: Sendable {
    static let limit = 10_000

    typealias Answer<Value> = CheckedContinuation<Result<Value, OrchestratorUnavailable>, Never>

    enum Item: Sendable {
        case input(Input, reply: Answer<Reply?>?)
        /// A look at the orchestrator between two steps.
        case query(
            @Sendable (borrowing Orchestrator) -> Void,
            refuse: @Sendable (OrchestratorUnavailable) -> Void)

        func refuse(_ reason: OrchestratorUnavailable) {
            switch self {
            case .input(_, let reply): reply?.resume(returning: .failure(reason))
            case .query(_, let refuse): refuse(reason)
            }
        }
    }

    private struct State {
        var items: [Item] = []
        /// The first of `items` that was not taken: taking from the front moves no elements.
        var first = 0
        var hasTick = false
        var isClosed = false
        /// The one that takes; it waits while there is nothing.
        var taker: CheckedContinuation<Item?, Never>?

        var count: Int { items.count - first }

        mutating func take() -> Item? {
            guard first < items.count else { return nil }
            let item = items[first]
            first += 1
            if first > 64, first * 2 > items.count {
                items.removeFirst(first)
                first = 0
            }
            if case .input(.tick, _) = item { hasTick = false }
            return item
        }
    }

    private let state = Mutex(State())

    /// How many wait.
    var count: Int { state.withLock(\.count) }

    /// Submits an input whose answer nobody waits for. It is never refused: these are the results
    /// of our own effects, whose number is bounded by what is under way.
    func submit(_ input: Input) {
        _ = add(.input(input, reply: nil)) { _ in true }
    }

    /// Ticks do not pile up behind a step that takes long.
    func tick() {
        _ = add(.input(.tick, reply: nil)) { state in
            guard !state.hasTick else { return false }
            state.hasTick = true
            return true
        }
    }

    func ask(_ input: Input) async throws(OrchestratorUnavailable) -> Reply? {
        try await withCheckedContinuation { (reply: Answer<Reply?>) in
            admit(.input(input, reply: reply))
        }.get()
    }

    func query<Value: Sendable>(
        _ body: @escaping @Sendable (borrowing Orchestrator) -> Value
    ) async throws(OrchestratorUnavailable) -> Value {
        try await withCheckedContinuation { (reply: Answer<Value>) in
            admit(
                .query(
                    { reply.resume(returning: .success(body($0))) },
                    refuse: { reply.resume(returning: .failure($0)) }))
        }.get()
    }

    /// The next item, for the one that takes them; `nil` when its task is cancelled.
    func next() async -> Item? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let item: Item?? = state.withLock { state in
                    if Task.isCancelled { return .some(nil) }
                    if let item = state.take() { return item }
                    precondition(state.taker == nil, "one task at a time takes what waits")
                    state.taker = continuation
                    return nil
                }
                if let item { continuation.resume(returning: item) }
            }
        } onCancel: {
            state.withLock { $0.taker.take() }?.resume(returning: nil)
        }
    }

    /// Nothing is taken any more: what waits, and what comes, is told that the server stops.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.items = [] }
            defer { state.first = 0 }
            return state.items[state.first...]
        }
        for item in waiting { item.refuse(.stopping) }
    }

    private func admit(_ item: Item) {
        guard !add(item, where: { $0.count < Self.limit }) else { return }
        item.refuse(state.withLock(\.isClosed) ? .stopping : .overloaded)
    }

    private func add(_ item: Item, where isWanted: (inout State) -> Bool) -> Bool {
        let (isAdded, taker) = state.withLock { state in
            guard !state.isClosed, isWanted(&state) else {
                return (false, nil as CheckedContinuation<Item?, Never>?)
            }
            guard let taker = state.taker.take() else {
                state.items.append(item)
                return (true, nil)
            }
            if case .input(.tick, _) = item { state.hasTick = false }
            return (true, taker)
        }
        taker?.resume(returning: item)
        return isAdded
    }
}
