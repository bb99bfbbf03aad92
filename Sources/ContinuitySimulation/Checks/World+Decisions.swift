import ContinuityCore

/// One line of the timeline, for people and machines.
package struct Decision: Codable, Hashable, Sendable {
    package var atMs: Int64
    package var kind: String
    package var text: String

    private enum CodingKeys: String, CodingKey {
        case atMs = "at_ms"
        case kind, text
    }
}

extension World {
    func decide(_ kind: String, _ text: String) {
        decisions.append(Decision(atMs: nowMs, kind: kind, text: text))
        trace("** \(kind) \(text)")
    }

    /// Puts an entry into words.
    func tell(_ body: JournalBody) {
        if case .runRequested(let body) = body { lastRun = RunFacts(body, atMs: nowMs) }
        lastRun?.take(body, atMs: nowMs)
        switch body {
        case .leadershipStarted(let body): decide("lead", body.instanceID)
        case .nodeStatusChanged(let body):
            decide(
                "node",
                "\(body.nodeID) \(body.from.rawValue) -> \(body.to.rawValue): \(body.evidence)")
        case .clusterStateChanged(let body):
            decide("cluster", "\(body.from.rawValue) -> \(body.to.rawValue)")
        case .holdChanged(let body): decide("hold", text(body.hold))
        case .runRequested(let body):
            let actions = body.plan.actions.map(\.action.rawValue).joined(separator: ", ")
            decide(
                "run",
                "\(body.kind.rawValue) \(body.plan.primaryNodeID) -> \(body.plan.failoverTargetID) "
                    + "(\(body.trigger)): \(actions)")
        case .runAdmitted(let body):
            let verdicts = body.verdicts.map { verdict in
                let isAssumed = hookBases.contains {
                    $0.pack == verdict.pack && $0.stage == .admit && $0.basis == .assumed
                }
                return "\(verdict.pack) \(verdict.verdict.rawValue)"
                    + (isAssumed ? " (assumed)" : "")
            }
            if !verdicts.isEmpty { decide("admitted", verdicts.joined(separator: ", ")) }
        case .operationFinished(let body): tell(body)
        case .leaseAwaited(let body):
            decide("lease", "\(body.nodeID) is waited out, \(body.remainingMs) ms at most")
        case .fenceProven(let body):
            decide("fenced", "\(body.nodeID) by \(body.proof.rawValue)")
        case .primaryChanged(let body): decide("primary", "\(body.to), term \(body.term)")
        case .rollbackStarted(let body): decide("rollback", body.reason)
        case .runVerified(let body):
            decide("verified", "confidence \(body.verification.confidence)")
        case .runFinished(let body):
            decide("end", body.state.rawValue + (body.reason.isEmpty ? "" : ": \(body.reason)"))
        case .brakeLatched(let body): decide("brake", "latched: \(body.evidence)")
        case .brakeCleared(let body): decide("brake", "cleared: \(body.reason)")
        case .clusterQuarantined(let body): decide("quarantine", body.reason)
        case .quarantineEnded(let body): decide("quarantine", "ended: \(body.reason)")
        case .pauseStarted(let body):
            decide("pause", "by \(body.suspension.owner): \(body.suspension.reason)")
        case .pauseEnded(let body): decide("resume", "\(body.end.rawValue): \(body.reason)")
        case .maintenanceStarted(let body):
            decide("maintenance", "of \(body.nodeID ?? "the cluster") begins")
        case .maintenanceEnded(let body):
            decide("maintenance", "of \(body.nodeID ?? "the cluster") ends, \(body.end.rawValue)")
        case .moveScheduled(let body):
            decide("arranged", "\(body.move.kind.rawValue) away from \(body.move.fromNodeID)")
        case .scheduleHeld(let body): decide("arranged", "held by \(text(body.hold))")
        case .scheduleEnded(let body):
            decide(
                "arranged",
                body.end.rawValue + (body.rule.map { " by \($0.rawValue)" } ?? "")
                    + ": \(body.reason)")
        case .weightsShifted(let body):
            let shares = body.weights.map { "\($0.nodeID) \($0.weight)" }
            decide(
                "weights",
                shares.joined(separator: ", ")
                    + (body.shedPermille > 0 ? "; \(body.shedPermille) ‰ are shed" : ""))
        // The rest is bookkeeping.
        default: break
        }
    }

    private func tell(_ body: OperationFinished) {
        let what = body.operation.rawValue.split(separator: "/").dropFirst().joined(separator: "/")
        if body.result.hook != nil {
            // Why it went as it did is what somebody tries a policy for.
            let reason = settings.hooks == nil ? "" : self.reason(of: body.result)
            decide(
                "hook",
                "\(what) \(body.result.outcome.rawValue)\(reason)"
                    + note(ofAssumed: body.operation))
        } else if body.result.outcome != .ok {
            decide("order", "\(what) \(body.result.outcome.rawValue): \(body.result.detail)")
        } else if body.runID == nil {
            decide("upkeep", "\(what) ok")
        }
    }

    private func reason(of result: OperationResult) -> String {
        guard let hook = result.hook else { return "" }
        let verdict = hook.value["verdict"]?.string.map { ", \($0)" } ?? ""
        let reason = hook.error ?? hook.value["reason"]?.string ?? ""
        return verdict + (reason.isEmpty || reason == "assumed" ? "" : ": \(reason)")
    }

    private func text(_ hold: Hold?) -> String {
        guard let hold else { return "none" }
        var text = "\(hold.rule.rawValue): \(hold.evidence)"
        if let earliest = hold.earliestAtMs {
            text += " (earliest at \(earliest - DriftingClock.epochUTCMs) ms)"
        }
        return text
    }
}
