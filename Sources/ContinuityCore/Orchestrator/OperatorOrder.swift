/// What a person orders apart from a move.
package enum OperatorOrder: Hashable, Sendable {
    case clearBrake(reason: String)
}

/// Why an order was not taken.
package struct OrderProblem: Error, Hashable, Sendable {
    /// For programs, in kebab case.
    package let type: String
    /// For people, with what to do.
    package let detail: String

    package init(_ type: String, _ detail: String) {
        self.type = type
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
            }
        } catch {
            reply(.problem(error))
        }
    }

    func check(reason: String) throws(OrderProblem) {
        guard !reason.isEmpty, reason.count <= Self.reasonLengthMax else {
            throw OrderProblem(
                "bad-reason", "give a reason of 1 to \(Self.reasonLengthMax) characters")
        }
    }
}
