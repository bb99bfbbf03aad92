/// Tells the story of a run from the journal, a line for each entry that says something.
package struct RunTimeline: Sendable {
    package struct Line: Hashable, Sendable {
        package var label: String
        package var text: String
    }

    private var operations: [OperationKey: Operation] = [:]

    package init() {}

    /// - Returns: `nil` for bookkeeping, which tells a reader nothing.
    package mutating func take(_ body: JournalBody) -> Line? {
        var operation: Operation?
        switch body {
        case .operationIntended(let body): operations[body.operation.key] = body.operation
        case .operationFinished(let body): operation = operations[body.operation]
        default: break
        }
        return Self.line(body, operation).map { Line(label: $0.0, text: $0.1) }
    }

    private static func line(
        _ body: JournalBody, _ operation: Operation?
    ) -> (String, String)? {
        switch body {
        case .nodeStatusChanged(let change):
            return (
                change.to == .healthy ? "recovered" : "detected",
                "\(change.nodeID) \(change.from.rawValue) -> \(change.to.rawValue): "
                    + change.evidence
            )
        case .clusterStateChanged(let change):
            return (
                "quorum",
                "cluster \(change.from.rawValue) -> \(change.to.rawValue): "
                    + change.evidence
            )
        case .holdChanged(let change):
            return ("hold", change.hold.map { "\($0.rule.rawValue): \($0.evidence)" } ?? "cleared")
        case .runRequested(let run):
            let actions = run.plan.actions.map(\.action.rawValue).joined(separator: ", ")
            return (
                "planned",
                "\(run.plan.planID): \(run.plan.primaryNodeID) -> \(run.plan.failoverTargetID) "
                    + "(\(actions)); \(run.evidence.isEmpty ? run.trigger.rawValue : run.evidence)"
            )
        case .runReplanned(let run):
            return (
                "replanned",
                "\(run.plan.planID), by the policies' scores: \(run.plan.primaryNodeID) -> "
                    + "\(run.plan.failoverTargetID)"
            )
        case .runAdmitted(let run):
            let verdicts = run.verdicts.map { "\($0.pack) \($0.verdict.rawValue): \($0.reason)" }
            return (
                "admitted",
                "by policy \(run.policyID)"
                    + (verdicts.isEmpty ? "" : "; " + verdicts.joined(separator: "; "))
            )
        case .operationFinished(let finished): return line(finished.result, operation)
        case .hookEffectIntended(let effect): return line(effect)
        case .leaseAwaited(let lease):
            return (
                "waiting",
                "\(lease.nodeID) cannot answer; its lease runs out in \(lease.remainingMs) ms"
            )
        case .fenceProven(let fence):
            return ("fenced", "\(fence.nodeID) by \(fence.proof.rawValue): \(fence.detail)")
        case .primaryChanged(let change):
            return ("promoted", "\(change.to) is primary, term \(change.term)")
        case .rollbackStarted(let rollback): return ("rollback", rollback.reason)
        case .runVerified(let verified):
            let deductions = verified.verification.deductions
                .map { "-\($0.points) \($0.check.rawValue): \($0.evidence)" }
            return (
                "verified",
                ([
                    "confidence \(verified.verification.confidence) "
                        + "(\(verified.verification.band.rawValue))"
                ] + deductions)
                .joined(separator: "; ")
            )
        case .runFinished(let run):
            return (
                run.state.rawValue,
                "\(run.runID) in \(run.durationMs) ms"
                    + (run.reason.isEmpty ? "" : ": \(run.reason)")
            )
        case .alertDelivered(let alert):
            return ("alerted", "\(alert.channel) took \(alert.alertID), attempt \(alert.attempts)")
        case .alertDead(let alert):
            return ("alert dead", "\(alert.channel): \(alert.reason)")
        case .drillStarted(let drill):
            return ("drill", "\(drill.run.runID): \(drill.scenario.rawValue), only pretended")
        case .drillFinished(let drill):
            return (
                "drill",
                "\(drill.report.drillID) \(drill.report.state.rawValue), predicted RTO "
                    + "\(drill.report.predictedRTOMs) ms"
            )
        case .hookPacksChanged(let packs):
            return (
                "packs", "\(packs.changes.count) changed, \(packs.rejected.count) not taken"
            )
        case .witnessAlarmed(let alarm): return ("audit", "\(alarm.nodeID): \(alarm.finding)")
        case .journalRestored(let restored): return ("audit", "restored: \(restored.damage)")
        case .brakeLatched(let brake): return ("brake", brake.evidence)
        // The rest is bookkeeping.
        default:
            return nil
        }
    }

    private static func line(_ effect: HookEffectIntended) -> (String, String)? {
        guard effect.call == "dns.update", let name = effect.arguments["name"]?.string else {
            return ("effect", "\(effect.pack): \(effect.call)")
        }
        let data = effect.arguments["data"]?.array?.compactMap(\.string) ?? []
        return ("dns", "\(name) is to be \(data.joined(separator: ", "))")
    }

    private static func line(
        _ result: OperationResult, _ operation: Operation?
    ) -> (String, String)? {
        guard let operation else { return nil }
        let outcome =
            "\(result.outcome.rawValue) in \(result.durationMs) ms"
            + (result.detail.isEmpty || result.outcome == .ok ? "" : ": \(result.detail)")
        switch operation.kind {
        case .hook:
            let stage = operation.stage.map { " (\($0.rawValue))" } ?? ""
            return ("hook", "\(operation.pack ?? "?")\(stage) \(outcome)")
        case .command:
            // Readings come by the dozen; only one that failed is worth a line.
            if operation.command == .status, result.outcome == .ok { return nil }
            return (
                "command",
                "\(operation.command?.rawValue ?? "?") on \(operation.nodeID?.rawValue ?? "?") "
                    + outcome
            )
        }
    }
}
