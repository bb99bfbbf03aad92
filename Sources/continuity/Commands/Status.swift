import ArgumentParser
import ContinuityCore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every cluster: its state, nodes, holds and runs.")

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try await reporting {
            let report = try await server.get(StatusReport.self, "status")
            if json { return try printJSON(report) }
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

    private static func text(_ cluster: ClusterStatus) -> String {
        var lines = [
            "\(cluster.clusterID)  \(cluster.state.rawValue)  primary \(cluster.primaryNodeID)  "
                + "policy \(cluster.policyID)  term \(cluster.term)"
        ]
        var table = Table(
            "NODE", "ROLE", "STATUS", "REGION", "SITE", "SERVICE", "POSITION", "LAG", "HEARD")
        for node in cluster.nodes {
            let service = node.service
            table.add(
                node.nodeID.rawValue, node.role.rawValue, node.status.rawValue, node.region,
                node.site, service?.state.rawValue ?? "-",
                service?.positionBytes.map(String.init) ?? "-",
                service?.lagMs.map { "\($0) ms" } ?? "-",
                node.heardMsAgo.map { "\($0) ms ago" } ?? "never")
        }
        lines.append(table.text)
        for hold in cluster.holds {
            let earliest = hold.earliestAtMs.map { ", not before \(timestamp($0))" } ?? ""
            lines.append("HOLD \(hold.rule.rawValue): \(hold.evidence)\(earliest)")
        }
        if let run = cluster.run {
            lines.append(
                "RUN \(run.runID) \(run.kind.rawValue) \(run.phase.rawValue): \(run.fromNodeID) "
                    + "to \(run.toNodeID), until \(timestamp(run.deadlineAtMs)) at the latest")
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
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
