import ArgumentParser
import ContinuityCommandLine
import ContinuityCore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every cluster: its state, nodes, holds and runs.")

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try await reporting {
            let answer = try await server.get(StatusReport.self, "status")
            if json { return try printJSON(answer) }
            let report = try forPeople(answer)
            if report.brake.isLatchedElsewhere == true {
                print("BRAKE: automatic failovers are held, because of another cluster\n")
            }
            if report.brake.latch != nil { print(BrakeShow.text(report.brake) + "\n") }
            for cluster in report.clusters { print(Self.text(cluster)) }
            if report.pendingAlerts > 0 {
                print("\(report.pendingAlerts) alerts wait for their receiver")
            }
            if let audit = report.audit { print(Self.text(audit), terminator: "") }
        }
    }

    private static func text(_ audit: AuditStatus) -> String {
        var lines = audit.witnesses.compactMap { witness in
            witness.alarm.map { "AUDIT ALARM of \(witness.nodeID): \($0)" }
        }
        if let reason = audit.suspended { lines.append("SUSPENDED, nothing is done: \(reason)") }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func text(_ suspension: Suspension) -> String {
        let by = suspension.setBy.map { " (ordered by \($0))" } ?? ""
        return "by \(suspension.owner) until \(timestamp(suspension.untilMs)): "
            + suspension.reason + by
    }

    /// Of an arranged move, in advance.
    private static func text(_ approval: PendingApproval) -> String {
        let people = approval.consents.map(\.by.person).joined(separator: ", ")
        guard !approval.isComplete else {
            return "  \(approval.approvalID) is approved in advance by \(people)"
        }
        return "  \(approval.approvalID) waits for \(approval.needed - approval.consents.count) of "
            + "other people until \(timestamp(approval.expiresAtMs))"
            + (people.isEmpty ? "" : ", approved by \(people)")
    }

    /// A primary that hands over in an orderly way has not failed.
    private static func word(_ node: NodeStatusReport, _ cluster: ClusterStatus) -> String {
        let isHandingOver =
            cluster.run?.kind == .switchover && cluster.run?.fromNodeID == node.nodeID
            && node.status != .healthy
        return isHandingOver ? "handing over" : node.status.rawValue
    }

    private static func text(_ cluster: ClusterStatus) -> String {
        var lines = [
            "\(cluster.clusterID)  \(cluster.state.rawValue)  primary \(cluster.primaryNodeID)  "
                + "policy \(cluster.policyID)  term \(cluster.term)"
        ]
        var table = Table(
            "NODE", "ROLE", "STATUS", "REGION", "SITE", "SERVICE", "POSITION", "LAG", "HEARD")
        for node in cluster.nodes {
            // What a silent node said last is not how it is.
            let service = node.isHeard == false ? nil : node.service
            table.add(
                node.nodeID.rawValue, node.role.rawValue, Self.word(node, cluster), node.region,
                node.site, service?.state.rawValue ?? "-",
                service?.positionBytes.map(String.init) ?? "-",
                service?.lagMs.map(ago) ?? "-",
                node.heardMsAgo.map { "\(ago($0)) ago" } ?? "never")
        }
        lines.append(table.text)
        if cluster.state != .healthy, let evidence = cluster.stateEvidence {
            lines.append("\(cluster.state.rawValue) because \(evidence)")
        }
        if let trouble = cluster.replicationTrouble { lines.append("NOT SYNCHRONOUS \(trouble)") }
        for node in cluster.nodes {
            let service = node.isHeard == false ? nil : node.service
            if node.status != .healthy, let evidence = node.evidence, !evidence.isEmpty {
                lines.append("\(node.nodeID) is \(Self.word(node, cluster)): \(evidence)")
            }
            if let service, service.state == .running, !service.detail.isEmpty {
                lines.append("\(node.nodeID) says: \(service.detail)")
            }
            if let work = node.work, node.isHeard != false {
                lines.append(
                    "\(node.nodeID) is at its \(work.command) for \(ago(work.runningMs)), last "
                        + "moved \(ago(work.stillMs)) ago")
            }
            if let trouble = node.upkeepTrouble {
                lines.append("\(node.nodeID) cannot be brought back: \(trouble)")
            }
        }
        for undone in cluster.undoneHooks ?? [] {
            let next =
                undone.isInDoubt == true
                ? "must not be called twice: look, then 'continuity hooks dismiss'"
                : "called \(undone.attempts) times since"
            lines.append(
                "UNDONE \(undone.pack) at \(undone.stage.rawValue) of \(undone.runID) since "
                    + "\(timestamp(undone.sinceMs)), \(next): \(undone.detail)")
        }
        let weights = cluster.nodes.compactMap { node in
            node.weight.map { "\(node.nodeID) \($0)" }
        }
        if !weights.isEmpty { lines.append("WEIGHTS \(weights.joined(separator: ", "))") }
        if let pause = cluster.pause { lines.append("PAUSED \(text(pause))") }
        if let work = cluster.maintenance { lines.append("MAINTENANCE \(text(work))") }
        for node in cluster.nodes {
            guard let work = node.maintenance else { continue }
            lines.append("MAINTENANCE of \(node.nodeID) \(text(work))")
        }
        if let approval = cluster.approval {
            let what = approval.kind == .breakGlass ? "BREAK-GLASS" : "APPROVAL"
            lines.append(
                "\(what) \(approval.approvalID): \(approval.plan.kind.rawValue) from "
                    + "\(approval.plan.primaryNodeID) to \(approval.plan.failoverTargetID), asked "
                    + "by \(approval.requestedBy.person), \(approval.consents.count) of "
                    + "\(approval.needed), until \(timestamp(approval.expiresAtMs)): "
                    + approval.reason)
        }
        for review in cluster.reviews {
            lines.append(
                "REVIEW \(review.reviewID) is open since \(timestamp(review.openedAtMs)): "
                    + review.people.map(\.person).joined(separator: ", ") + ": \(review.reason)")
        }
        if let move = cluster.scheduled {
            let held = cluster.scheduledHold.map { "; held by \($0.rule.rawValue): \($0.evidence)" }
            lines.append(
                "ARRANGED \(move.kind.rawValue) from \(move.fromNodeID) to "
                    + "\(move.targetNodeID?.rawValue ?? "the best") at \(timestamp(move.atMs)) by "
                    + "\(move.requestedBy): \(move.reason)" + (held ?? ""))
            if let approval = cluster.scheduledApproval { lines.append(text(approval)) }
        }
        if let last = cluster.lastScheduled {
            let rule = last.rule.map { "\($0.rawValue): " } ?? ""
            lines.append(
                "LAST ARRANGED \(last.move.kind.rawValue) from \(last.move.fromNodeID) to "
                    + "\(last.move.targetNodeID?.rawValue ?? "the best"), \(last.end.rawValue) at "
                    + "\(timestamp(last.endedAtMs)): \(rule)\(last.reason)")
        }
        for hold in cluster.holds {
            let earliest = hold.earliestAtMs.map { ", not before \(timestamp($0))" } ?? ""
            lines.append("HOLD \(hold.rule.rawValue): \(hold.evidence)\(earliest)")
        }
        if let run = cluster.run {
            let stage = run.stage.map { ", stage \($0.rawValue)" } ?? ""
            lines.append(
                "RUN \(run.runID) \(run.kind.rawValue) \(run.phase.rawValue)\(stage): "
                    + "\(run.fromNodeID) to \(run.toNodeID), until "
                    + "\(timestamp(run.deadlineAtMs)) at the latest")
            lines += (run.troubles ?? []).map { "  \($0)" }
        }
        if let drill = cluster.drill {
            lines.append("DRILL \(drill.drillID) \(drill.scenario.rawValue) is under way")
        }
        if let drill = cluster.lastDrill {
            lines.append(
                "LAST DRILL \(drill.drillID) \(drill.scenario.rawValue) \(drill.state.rawValue) at "
                    + "\(timestamp(drill.startedAtMs)), predicted RTO \(drill.predictedRTOMs) ms")
        }
        if let run = cluster.lastRun {
            let confidence = run.confidence.map { ", confidence \($0)" } ?? ""
            lines.append(
                "LAST \(run.runID) \(run.kind.rawValue) \(run.state.rawValue) at "
                    + "\(timestamp(run.finishedAtMs)): \(run.fromNodeID) to \(run.toNodeID)"
                    + confidence + (run.reason.isEmpty ? "" : ": \(run.reason)"))
            lines += ((run.deductions ?? []) + (run.troubles ?? [])).map { "  \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
