import ContinuityCore

/// The order in which effectful commands run: one at a time, but a fence before all others, and a
/// newer word on whom to follow instead of an older one.
struct CommandQueue<ID: Hashable & Sendable>: Sendable {
    enum Action: Equatable, Sendable {
        case start(ID)
        case wait
        /// What runs, if anything is named, is to be stopped, and what waited is never started.
        case jump(cancel: ID?, drop: [ID])
        case refuse(String)
    }

    /// What a command is to the others.
    enum Kind: Sendable {
        case ordinary
        /// `follow` and `rejoin`. Only the newest counts: a rejoin that waits for a primary which
        /// is lost must not keep its node from following the next one.
        case pointer
        /// Goes first. A service start that was ordered before the fence must not follow it.
        case fence

        fileprivate func supersedes(_ other: Kind) -> Bool {
            switch self {
            case .ordinary: false
            case .pointer: other == .pointer
            case .fence: other != .fence
            }
        }
    }

    static var limit: Int { 16 }

    private var running: (id: ID, kind: Kind)?
    private var waiting: [(id: ID, kind: Kind)] = []

    mutating func submit(_ id: ID, _ kind: Kind) -> Action {
        guard let running else {
            self.running = (id, kind)
            return .start(id)
        }
        let dropped = waiting.filter { kind.supersedes($0.kind) }.map(\.id)
        waiting.removeAll { kind.supersedes($0.kind) }
        guard waiting.count < Self.limit else {
            return .refuse("\(Self.limit) commands already wait")
        }
        waiting.append((id, kind))
        let cancelled = kind.supersedes(running.kind) ? running.id : nil
        guard cancelled != nil || !dropped.isEmpty || kind == .fence else { return .wait }
        return .jump(cancel: cancelled, drop: dropped)
    }

    /// - Returns: what to start now.
    mutating func finished(_ id: ID) -> ID? {
        precondition(running?.id == id, "only the running command can finish")
        running = waiting.isEmpty ? nil : waiting.removeFirst()
        return running?.id
    }

    var runningID: ID? { running?.id }
}

extension AgentCommand.Name {
    /// Whether the service may be primary once it is carried out, or while it is.
    var makesPrimary: Bool { self == .promote || self == .restart }

    /// Whether only the newest order of this kind counts.
    var isPointer: Bool { self == .follow || self == .rejoin }
}
