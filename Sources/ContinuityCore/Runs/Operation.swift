/// An effect that touches the world, as it is journaled before it leaves.
package struct Operation: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Hashable, Sendable {
        case command, hook
    }

    package var key: OperationKey
    /// `nil` outside a run: a node that rejoins, a stale primary that is fenced, a hook that the
    /// run left undone.
    package var runID: RunID?
    package var stage: Stage?
    package var kind: Kind
    package var timeoutMs: Int64
    /// With `command`.
    package var nodeID: NodeID?
    package var command: AgentCommand.Name?
    /// The node to follow, with the commands `follow` and `rejoin`. With `status`: the node to which
    /// no promise is given any more.
    package var sourceNodeID: NodeID?
    /// With `hook`.
    package var pack: String?
    /// With `hook`: which of the policy's bindings; `nil` in a journal of before it was named.
    package var place: HookPlace?
    /// With `hook`: what is run, and what it is granted.
    package var digests: HookDigests?
    package var attempt: Int
    /// Whether it may be done again when its result was lost.
    package var repeatable: Bool
    /// What a failure means for the run.
    package var onFailure: HookBinding.FailureResponse

    package static func command(
        _ name: AgentCommand.Name, on node: NodeID, key: OperationKey, runID: RunID? = nil,
        stage: Stage? = nil, timeoutMs: Int64, source: NodeID? = nil, attempt: Int = 1,
        onFailure: HookBinding.FailureResponse = .abort
    ) -> Operation {
        Operation(
            key: key, runID: runID, stage: stage, kind: .command, timeoutMs: timeoutMs,
            nodeID: node, command: name, sourceNodeID: source, pack: nil, attempt: attempt,
            repeatable: true, onFailure: onFailure)
    }

    package static func hook(
        _ binding: HookBinding, at index: Int, key: OperationKey, runID: RunID?, attempt: Int
    ) -> Operation {
        Operation(
            key: key, runID: runID, stage: binding.stage, kind: .hook,
            timeoutMs: binding.timeoutMs, nodeID: nil, command: nil, sourceNodeID: nil,
            pack: binding.pack, place: HookPlace(timing: binding.timing, index: index),
            digests: binding.digests, attempt: attempt,
            repeatable: binding.repeatable,
            onFailure: binding.onFailure)
    }

    /// Whether a service may be running as primary because of it.
    var makesPrimary: Bool { command == .promote || command == .restart }

    private enum CodingKeys: String, CodingKey {
        case key
        case runID = "run_id"
        case stage, kind
        case timeoutMs = "timeout_ms"
        case nodeID = "node_id"
        case command
        case sourceNodeID = "source_node_id"
        case pack, place, digests, attempt, repeatable
        case onFailure = "on_failure"
    }
}

/// Which of the bindings of a stage a hook call is.
package struct HookPlace: Codable, Hashable, Sendable {
    package var timing: HookBinding.Timing
    /// Among those of the stage and the timing, in the policy's order.
    package var index: Int

    package init(timing: HookBinding.Timing, index: Int) {
        self.timing = timing
        self.index = index
    }
}

/// What came of an operation.
package struct OperationResult: Codable, Hashable, Sendable {
    package enum Outcome: String, Codable, Hashable, Sendable {
        case ok, failed
        case timedOut = "timed_out"
        case refused, unreachable
        /// The process that waited for it was ended, and it must not be done twice.
        case inDoubt = "in_doubt"
    }

    package var outcome: Outcome
    package var detail: String
    package var durationMs: Int64
    package var command: CommandResult?
    package var hook: HookOutcome?

    package init(
        outcome: Outcome, detail: String = "", durationMs: Int64 = 0,
        command: CommandResult? = nil, hook: HookOutcome? = nil
    ) {
        self.outcome = outcome
        self.detail = detail
        self.durationMs = durationMs
        self.command = command
        self.hook = hook
    }

    package init(_ result: CommandResult) {
        let outcome: Outcome =
            switch result.outcome {
            case .succeeded: .ok
            case .failed: .failed
            case .timedOut: .timedOut
            case .refused: .refused
            case .inDoubt: .inDoubt
            case .unreachable: .unreachable
            }
        self.init(
            outcome: outcome, detail: result.detail, durationMs: result.durationMs,
            command: result)
    }

    package init(_ hook: HookOutcome) {
        let detail = [hook.limit.map { "limit: \($0)" }, hook.error].compactMap(\.self)
        self.init(
            outcome: hook.status == .ok ? .ok : .failed,
            detail: hook.status == .ok
                ? "" : "\(hook.status.rawValue) \(detail.joined(separator: " "))",
            durationMs: hook.usage.wallUs / 1000, hook: hook)
    }

    /// With the result of `promote`: whether it is certain that the node did not become primary.
    /// Only an order that was never begun shows that. A program that ended with an error, was
    /// killed, or found its service still a secondary may have begun what goes on without it.
    package var showsNoPromotion: Bool { outcome == .refused }

    /// The proof of a stopped service, where it is that node's own and belongs to a success.
    func receipt(of node: NodeID) -> FenceReceipt? {
        guard outcome == .ok, let receipt = command?.receipt, receipt.nodeID == node else {
            return nil
        }
        return receipt
    }

    private enum CodingKeys: String, CodingKey {
        case outcome, detail
        case durationMs = "duration_ms"
        case command, hook
    }
}
