import ContinuityCore
import ContinuitySimulation
import Testing

@Suite struct WhatIfTests {
    private let cluster = Cluster(
        clusterID: "orders", regions: ["east", "west"],
        nodes: [
            Node(nodeID: "node-1", role: .primary, region: "east"),
            Node(nodeID: "node-2", role: .secondary, region: "west"),
            Node(nodeID: "node-3", role: .secondary, region: "west"),
        ])

    private func run(
        _ scenario: WhatIf.Scenario, seed: UInt64 = 1,
        strategy: FailoverPolicy.Strategy = .automatic
    ) -> WhatIf.Report {
        let policy = FailoverPolicy(
            policyID: "policy", strategy: strategy, cooldownS: 0, rpoS: 0)
        return WhatIf.run(
            cluster: cluster, policy: policy, scenario: scenario, seed: seed,
            hooks: AssumedHooks(reason: "a test"))
    }

    @Test(arguments: WhatIf.Scenario.allCases)
    func everyScenarioIsTheSameBytesForTheSameSeed(_ scenario: WhatIf.Scenario) throws {
        let first = try CanonicalJSON.bytes(encoding: run(scenario, seed: 5))
        let second = try CanonicalJSON.bytes(encoding: run(scenario, seed: 5))
        #expect(first == second)
        let report = run(scenario)
        #expect(report.violation == nil)
        #expect(!report.timeline.isEmpty)
        // By chance something is broken at the very end, too.
        if scenario != .randomFailures { #expect(report.finalHealth == "HEALTHY") }
        #expect(report.lostWrites == 0, "rpo_s 0 means synchronous replication")
    }

    @Test func aLostRegionIsReplacedAndTheOutageIsTold() {
        let report = run(.regionFailure)
        #expect(report.failovers == 1)
        #expect(report.finalPrimary == "node-2")
        // Detection and lease, and a promotion, which takes up to six seconds here.
        #expect((1000...10_000).contains(report.longestOutageMs))
    }

    @Test func aManualPolicyHoldsAndSaysSo() {
        let report = run(.regionFailure, strategy: .manual)
        #expect(report.failovers == 0)
        #expect(report.holds == ["strategy_manual"])
        #expect(report.finalPrimary == "node-1")
        // Its own node had fenced it, which is no reason to leave it stopped.
        #expect(report.finalHealth == "HEALTHY")
    }
}
