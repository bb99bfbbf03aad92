import ContinuityCore
import ContinuityPostgres
import FoundationEssentials

/// A drill on the running cluster, and the proof that it changed nothing: not PostgreSQL, not the
/// primary, not the term.
struct DrillRound: Sendable {
    let session: DemoSession
    let scenario: String

    /// What must be the same before and after.
    private struct Facts: Equatable {
        var primary: NodeID
        var term: Int64
        /// By node: its role, its timeline, and when its server was started.
        var servers: [String: String]
    }

    /// - Returns: the drill's report.
    /// - Throws: `DemoFailure` when it does not hold, or something was changed.
    func run() async throws -> JSONValue {
        let before = try await facts()
        session.console.say("a drill of \(scenario), while the client goes on writing:")
        let argv = [
            session.executable, "drill", "run", "--cluster", DemoLayout.clusterID,
            "--scenario", scenario, "--reason", "continuity demo", "--requested-by", "demo",
            "--server", session.layout.serveURL, "--certificate",
            session.layout.pki.file("person"), "--ca", session.layout.pki.authorityFile,
        ]
        let json = try await Program.run(argv + ["--json"], timeout: .seconds(90))
        guard json.isSuccess else {
            throw DemoFailure("the drill did not pass (\(json.status))", details: json.output)
        }
        guard
            let report = try? JSONDecoder().decode(
                DrillReport.self, from: Data(json.output.utf8))
        else { throw DemoFailure("the drill's report is not understood", details: json.output) }
        for stage in report.stages {
            session.console.say(
                "  \(stage.stage.rawValue): \(stage.tookMs) ms, predicted \(stage.predictedMs) ms")
            for step in stage.steps {
                let node = step.nodeID.map { " on \($0)" } ?? ""
                session.console.say("    \(step.what) \(step.name)\(node): \(step.outcome)")
            }
        }
        session.console.say(
            "  predicted RTO \(report.predictedRTOMs) ms, promised \(report.rtoMs) ms")
        let after = try await facts()
        guard before == after else {
            throw DemoFailure("the drill changed something: \(before) became \(after)")
        }
        session.console.say("  primary, term, roles, timelines and server processes are unchanged")
        return try JSONValue(encoding: report)
    }

    private func facts() async throws -> Facts {
        let status = try await session.client.status()
        var servers: [String: String] = [:]
        for node in session.layout.postgres.nodes {
            servers[node.id] = try await Program.mustRun(
                node.psql(
                    "SELECT pg_is_in_recovery(), pg_postmaster_start_time(), "
                        + "(SELECT timeline_id FROM pg_control_checkpoint())"))
        }
        return Facts(primary: status.primaryNodeID, term: status.term, servers: servers)
    }
}
