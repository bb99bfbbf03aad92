/// What a person orders apart from a move.
package enum OperatorOrder: Hashable, Sendable {
    case clearBrake(reason: String)
    case pause(ClusterID, SuspensionWish)
    case resume(ClusterID, reason: String)
    /// Without a node, of the whole cluster.
    case beginMaintenance(ClusterID, NodeID?, SuspensionWish)
    case endMaintenance(ClusterID, NodeID?, reason: String)
    case schedule(ScheduleWish)
    case cancelSchedule(ClusterID, reason: String)
    /// What the pack left undone is not to be done any more.
    case dismissHook(ClusterID, pack: String, reason: String)
}

/// For how long something is to be left alone, by whose leave and why.
package struct SuspensionWish: Hashable, Sendable {
    package var owner: String
    package var reason: String
    package var durationS: Int64

    package init(owner: String, reason: String, durationS: Int64) {
        self.owner = owner
        self.reason = reason
        self.durationS = durationS
    }
}

/// Why an order was not taken.
package struct OrderProblem: Error, Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// What it names is not there.
        case unknown
        /// It could not be done in any state.
        case invalid
        /// The present state forbids it.
        case conflict
    }

    /// For programs, in kebab case.
    package let type: String
    package let kind: Kind
    /// For people, with what to do.
    package let detail: String

    package init(_ type: String, _ detail: String) { self.init(type, .conflict, detail) }

    package init(_ type: String, _ kind: Kind, _ detail: String) {
        self.type = type
        self.kind = kind
        self.detail = detail
    }
}

extension Orchestrator {
    /// Bounds on what a person writes, so that the journal stays readable.
    static let reasonLengthMax = 500

    mutating func handle(_ order: OperatorOrder, by actor: String, _ now: Moment) {
        do {
            switch order {
            case .clearBrake(let reason): try clearBrake(reason, by: actor, now)
            case .schedule(let wish): try schedule(wish, by: actor, now)
            case .cancelSchedule(let id, let reason):
                try cancelSchedule(id, reason: reason, by: actor, now)
            case .dismissHook(let id, let pack, let reason):
                try dismissHook(id, pack: pack, reason: reason, by: actor, now)
            case .pause(let id, let wish): try pause(id, wish, by: actor, now)
            case .resume(let id, let reason): try resume(id, reason: reason, by: actor, now)
            case .beginMaintenance(let id, let node, let wish):
                try beginMaintenance(id, node, wish, by: actor, now)
            case .endMaintenance(let id, let node, let reason):
                try endMaintenance(id, node, reason: reason, by: actor, now)
            }
        } catch {
            reply(.problem(error))
        }
    }

    func check(reason: String) throws(OrderProblem) {
        guard !reason.isEmpty, reason.count <= Self.reasonLengthMax else {
            throw OrderProblem(
                "bad-reason", .invalid,
                "give a reason of 1 to \(Self.reasonLengthMax) characters")
        }
    }
}
