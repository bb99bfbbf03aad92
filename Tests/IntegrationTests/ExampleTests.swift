import ContinuityConfig
import ContinuityCore
import Foundation
import Testing

/// What the documents send people to is true.
struct ExampleTests {
    private func file(_ name: String) -> String {
        Programs.repository.appending(path: "examples/\(name)").path
    }

    @Test func theExamplesLoadAndGiveAPlan() async throws {
        let plan = try await Programs.run(
            "plan", "--cluster", file("cluster.yaml"), "--policy", file("policy.yaml"))
        #expect(plan.exitCode == 0, "\(plan.errors)")
        #expect(plan.output.contains("db-2"), "\(plan.output)")
    }

    /// A field that a file may hold stands in the example, and in the page that describes it.
    @Test func theExamplesHaveEveryField() throws {
        let cluster = try String(contentsOfFile: file("cluster.yaml"), encoding: .utf8)
        let policy = try String(contentsOfFile: file("policy.yaml"), encoding: .utf8)
        let read = try ClusterFile.load(file: file("cluster.yaml"))
        #expect(read.nodes.allSatisfy { $0.agentURL != nil })
        #expect(try PolicyFile.load(file: file("policy.yaml"), for: read).rejoin == .keep)
        for field in [
            "quorum_size", "regions", "service_probe", "metadata", "priority", "capacity", "weight",
            "witness",
        ] { #expect(cluster.contains(field), "\(field)") }
        for field in [
            "strategy", "region_priority", "site_priority", "min_healthy_nodes", "detection",
            "lease", "cooldown_s", "flap", "slo_guard", "freeze_windows", "rpo_s", "rto_s",
            "on_service_failure", "restart_attempts", "rejoin", "approvals", "hooks", "metadata",
        ] { #expect(policy.contains(field), "\(field)") }
    }
}
