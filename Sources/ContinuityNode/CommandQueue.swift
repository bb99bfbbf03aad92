package import ContinuityCore

/// The order in which effectful commands run: one at a time, but a fence before all others, and a
/// newer word on whom to follow instead of an older one.
package struct CommandQueue<ID: Hashable & Sendable>: Sendable {
    package enum Action: Equatable, Sendable {
        case start(ID)
        case wait
        /// What runs, if anything is named, is to be stopped, and what waited is never started.
        case jump(cancel: ID?, drop: [ID])
        case refuse(String)
    }

    package static var limit: Int { 16 }

    private var running: (id: ID, kind: CommandKind)?
    private var waiting: [(id: ID, kind: CommandKind)] = []

    package init() {}

    package mutating func submit(_ id: ID, _ kind: CommandKind) -> Action {
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
    package mutating func finished(_ id: ID) -> ID? {
        precondition(running?.id == id, "only the running command can finish")
        running = waiting.isEmpty ? nil : waiting.removeFirst()
        return running?.id
    }

    package var runningID: ID? { running?.id }
}

/// What a command is to the others.
package enum CommandKind: Sendable {
    case ordinary
    /// `follow` and `rejoin`. Only the newest counts: a rejoin that waits for a primary which
    /// is lost must not keep its node from following the next one.
    case pointer
    /// Goes first. A service start that was ordered before the fence must not follow it.
    case fence

    fileprivate func supersedes(_ other: CommandKind) -> Bool {
        switch self {
        case .ordinary: false
        case .pointer: other == .pointer
        case .fence: other != .fence
        }
    }
}

extension AgentCommand.Name {
    /// Whether the service may be primary once it is carried out, or while it is.
    package var makesPrimary: Bool { self == .promote || self == .restart }

    /// What it is to the others in a ``CommandQueue``.
    package var queueKind: CommandKind {
        switch self {
        case .fence: .fence
        case .follow, .rejoin: .pointer
        default: .ordinary
        }
    }
}
