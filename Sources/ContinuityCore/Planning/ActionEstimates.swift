/// How long each action is expected to take: the median of what was measured, else a
/// conservative default.
package struct ActionEstimates: Hashable, Sendable {
    /// How many measurements of an action are remembered.
    package static let historyLimit = 16

    private var measuredMs: [ActionType: [Int64]] = [:]

    package init() {}

    package mutating func record(_ action: ActionType, durationMs: Int64) {
        var history = measuredMs[action] ?? []
        history.append(durationMs)
        measuredMs[action] = Array(history.suffix(Self.historyLimit))
    }

    /// Whether a real run has taken it, so that the figure is no guess.
    package func isMeasured(_ action: ActionType) -> Bool { measuredMs[action]?.isEmpty == false }

    package subscript(action: ActionType) -> Int64 {
        guard let history = measuredMs[action], !history.isEmpty else {
            return Self.defaultMs(action)
        }
        return history.sorted()[history.count / 2]
    }

    private static func defaultMs(_ action: ActionType) -> Int64 {
        switch action {
        case .demote: 500
        case .promote: 1000
        case .dnsFlip: 500
        case .notify: 200
        case .verify: 500
        case .restart: 2000
        }
    }
}
