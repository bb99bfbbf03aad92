extension RunState {
    /// Hooks and commands that did not end well, for people, in order.
    var troubles: [String] {
        operations.values.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { operation in
            guard let result = results[operation.key], result.outcome != .ok else { return nil }
            let detail = result.detail.isEmpty ? "" : ": \(result.detail)"
            let stage = operation.stage.map { " (\($0.rawValue))" } ?? ""
            return switch operation.kind {
            case .hook:
                "hook \(operation.pack ?? "?")\(stage) \(result.outcome.rawValue)\(detail)"
            case .command:
                "\(operation.command?.rawValue ?? "?") on \(operation.nodeID?.rawValue ?? "?") "
                    + result.outcome.rawValue + detail
            }
        }
    }
}

extension Verification.Deduction {
    /// For people.
    package var text: String { "-\(points) \(check.rawValue): \(evidence)" }
}
