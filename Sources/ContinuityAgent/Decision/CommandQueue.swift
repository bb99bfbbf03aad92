/// The order in which effectful commands run: one at a time, a fence before all others.
struct CommandQueue<ID: Hashable & Sendable>: Sendable {
    enum Action: Equatable, Sendable {
        case start(ID)
        case wait
        /// A fence goes first: stop what runs, if anything does, and never start what waited.
        /// A service start that was ordered before the fence must not follow it.
        case jump(cancel: ID?, drop: [ID])
        case refuse(String)
    }

    static var limit: Int { 16 }

    private var running: (id: ID, isFence: Bool)?
    private var waiting: [(id: ID, isFence: Bool)] = []

    mutating func submit(_ id: ID, isFence: Bool) -> Action {
        guard let running else {
            self.running = (id, isFence)
            return .start(id)
        }
        let dropped = isFence ? waiting.filter { !$0.isFence }.map(\.id) : []
        if isFence { waiting.removeAll { !$0.isFence } }
        guard waiting.count < Self.limit else {
            return .refuse("\(Self.limit) commands already wait")
        }
        waiting.append((id, isFence))
        guard isFence else { return .wait }
        return .jump(cancel: running.isFence ? nil : running.id, drop: dropped)
    }

    /// - Returns: what to start now.
    mutating func finished(_ id: ID) -> ID? {
        precondition(running?.id == id, "only the running command can finish")
        running = waiting.isEmpty ? nil : waiting.removeFirst()
        return running?.id
    }

    var runningID: ID? { running?.id }
}
