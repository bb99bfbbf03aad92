import ContinuityCore
import Foundation
import Testing

/// The shipped pack moves the choice of a real `serve`.
@Suite(.serialized) struct RegionAffinityTests {
    private static func policy(_ regions: String) -> String {
        """
        policy_id: p
        strategy: automatic
        region_priority: [eu, us]
        hooks:
          - {stage: admit, pack: region-affinity, config: {regions: \(regions)}}

        """
    }

    private func run(_ regions: String) async throws -> (
        first: String?, plan: JSONValue?, entries: [JSONValue]
    ) {
        let policies = Programs.repository.appending(path: "policies").path
        let fixture = try ServeFixture(policy: Self.policy(regions), packs: policies)
        let cluster = fixture.folder.path + "/cluster.yaml"
        var text = try String(contentsOfFile: cluster, encoding: .utf8)
        for (node, region) in [("node-1", "eu"), ("node-2", "eu"), ("node-3", "us")] {
            text = text.replacing(
                "node_id: \(node)\n", with: "node_id: \(node)\n    region: \(region)\n")
        }
        try fixture.folder.write("regions: [eu, us]\n" + text, to: "cluster.yaml")
        try await fixture.start()
        try await fixture.report(primary: .running)
        try await fixture.report(primary: .stopped)
        let entries = try await eventually("the run is admitted") {
            let entries = try await fixture.entries()
            return entries.contains { $0["kind"]?.string == "run_admitted" } ? entries : nil
        }
        func body(_ kind: String) -> JSONValue? {
            entries.first { $0["kind"]?.string == kind }?["body"]
        }
        let first = body("run_requested")?["plan"]?["failover_target_id"]?.string
        return (first, body("run_replanned")?["plan"], entries)
    }

    @Test func thePackMovesTheChoice() async throws {
        let moved = try await run("[us, eu]")
        #expect(moved.first == "node-2", "by region_priority")
        #expect(moved.plan?["failover_target_id"]?.string == "node-3")
        #expect(
            moved.plan?["target_scores"] == [
                ["pack": "region-affinity", "scores": ["node-2": 80, "node-3": 100]]
            ])
        let calls = moved.entries.filter {
            $0["kind"]?.string == "operation_finished" && $0["body"]?["stage"]?.string == "admit"
        }
        #expect(calls.count == 2)
        let orders = moved.entries.filter { $0["kind"]?.string == "operation_intended" }
        #expect(orders.allSatisfy { $0["body"]?["operation"]?["command"]?.string != "promote" })
    }

    @Test func andLeavesItWhereItAgrees() async throws {
        let kept = try await run("[eu, us]")
        #expect(kept.first == "node-2")
        #expect(kept.plan?["failover_target_id"]?.string == "node-2")
    }
}
