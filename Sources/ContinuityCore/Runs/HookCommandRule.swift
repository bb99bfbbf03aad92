/// Which of an agent's orders a hook may give at its place in a run.
///
/// A hook must not be able to bring about two primaries, nor to lose data. So nothing that makes a
/// node primary or throws data away can be asked for at all; what stops a service, only where the
/// run itself is about to give the same order; what changes a source, only when the run has its
/// new primary.
package struct HookCommandRule: Sendable {
    package var stage: Stage
    package var timing: HookBinding.Timing
    package var kind: PlanKind
    package var primary: NodeID
    package var target: NodeID

    package init(
        stage: Stage, timing: HookBinding.Timing, kind: PlanKind, primary: NodeID, target: NodeID
    ) {
        self.stage = stage
        self.timing = timing
        self.kind = kind
        self.primary = primary
        self.target = target
    }

    /// Why the order must not be given, or `nil` when it may be.
    package func objection(to command: AgentCommand.Name, on node: NodeID) -> String? {
        switch command {
        case .status, .prepare, .own: nil
        case .demote: stopping(command, node, in: .switchover)
        case .fence: stopping(command, node, in: .failover)
        case .follow: following(node)
        case .promote, .rejoin, .restart: "'\(command.rawValue)' belongs to the run itself"
        }
    }

    private func stopping(
        _ command: AgentCommand.Name, _ node: NodeID, in wanted: PlanKind
    ) -> String? {
        guard kind == wanted, stage == .demote, timing == .before else {
            return "'\(command.rawValue)' may be given only before the stage 'demote' of a "
                + wanted.rawValue
        }
        return node == primary
            ? nil : "'\(command.rawValue)' may be given only to \(primary), the old primary"
    }

    private func following(_ node: NodeID) -> String? {
        let isAfterwards =
            (stage == .promote && timing == .after)
            || [.dnsFlip, .notify, .verify].contains(stage)
        guard kind != .restart, isAfterwards else {
            return "'follow' may be given only when the new primary is promoted"
        }
        guard node != target, node != primary else {
            return "'follow' may not be given to \(node): it is the "
                + (node == target ? "new primary" : "old primary")
        }
        return nil
    }
}
