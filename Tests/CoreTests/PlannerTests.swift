import ContinuityConfig
import ContinuityCore
import Foundation
import Testing

@Suite struct PlannerTests {
    private func plan(
        _ cluster: Cluster, _ policy: FailoverPolicy = samplePolicy(),
        kind: PlanKind = .failover, target: NodeID? = nil
    ) throws(PlanRefusal) -> Plan {
        try Planner.plan(
            cluster: cluster, policy: policy,
            request: PlanRequest(kind: kind, triggerReason: "test", targetNodeID: target),
            digest: .real)
    }

    private func refusal(_ cluster: Cluster, _ policy: FailoverPolicy = samplePolicy()) -> HoldRule?
    {
        do {
            _ = try plan(cluster, policy)
            return nil
        } catch {
            return error.rule
        }
    }

    @Test func theReferencePlanHasFiveActionsInOrder() throws {
        let plan = try plan(sampleCluster())
        #expect(plan.actions.map(\.action) == [.demote, .promote, .dnsFlip, .notify, .verify])
        #expect(plan.failoverTargetID == "node-2")
        #expect(plan.estimatedTotalMs == plan.actions.reduce(0) { $0 + $1.estimatedMs })
    }

    @Test func theQuickEncodingIsTheGeneralOne() throws {
        let hooks = [
            HookBinding(stage: .notify, pack: "a\"b"), HookBinding(stage: .verify, pack: "é"),
        ]
        let plan = try plan(sampleCluster(), samplePolicy(hooks: hooks))
        #expect(try CanonicalJSON.bytes(encoding: plan) == plan.canonicalBytes())
        #expect(plan.planID == plan.computedID(digest: .real))
    }

    @Test func equalInputsGiveEqualBytesAndAnyChangeAnotherID() throws {
        let first = try plan(sampleCluster())
        #expect(try plan(sampleCluster()).canonicalBytes() == first.canonicalBytes())
        var policy = samplePolicy()
        policy.maxFailoverTimeS += 1
        #expect(try plan(sampleCluster(), policy).planID != first.planID)
    }

    @Test(arguments: PlanFile.Format.allCases)
    func filesRoundTripByteForByte(_ format: PlanFile.Format) throws {
        var policy = samplePolicy(hooks: [HookBinding(stage: .notify, pack: "notify: \"x\"")])
        policy.policyID = "yes"
        let text = PlanFile.text(try plan(sampleCluster(), policy), format)
        let file = FileManager.default.temporaryDirectory
            .appending(path: "plan-\(format)-\(ProcessInfo.processInfo.processIdentifier)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let read = try PlanFile.load(file: file, digest: .real)
        #expect(PlanFile.text(read, format) == text)

        try text.replacing("node-2", with: "node-3")
            .write(toFile: file, atomically: true, encoding: .utf8)
        let error = #expect(throws: ConfigError.self) {
            try PlanFile.load(file: file, digest: .real)
        }
        #expect(error?.message.contains("does not follow from the content") == true)
    }

    // MARK: Selection

    @Test func selectionIsLexicographic() throws {
        func nodes(_ change: (inout [Node]) -> Void) -> Cluster {
            var cluster = sampleCluster()
            change(&cluster.nodes)
            return cluster
        }
        // The region comes before everything else.
        #expect(
            try plan(
                nodes {
                    $0[2].priority = 1000; $0[2].capacity = 100; $0[1].capacity = 1
                }
            )
            .failoverTargetID == "node-2")
        // Within the region and site: priority, then capacity, then lag, then the id.
        func same(_ change: (inout [Node]) -> Void) throws -> NodeID {
            try plan(
                nodes {
                    $0[2].region = $0[1].region
                    $0[2].site = $0[1].site
                    change(&$0)
                }
            ).failoverTargetID
        }
        #expect(try same { _ in } == "node-2")
        #expect(
            try same {
                $0[2].priority = 101; $0[2].capacity = 1
            } == "node-3")
        #expect(
            try same {
                $0[1].capacity = 99; $0[1].lagMs = 0
            } == "node-3")
        #expect(
            try same {
                $0[1].lagMs = 10; $0[2].lagMs = 9
            } == "node-3")
        #expect(try same { $0[2].lagMs = 9 } == "node-3")
    }

    @Test func whoIsNeverATarget() {
        func cluster(_ change: (inout Node) -> Void) -> Cluster {
            var cluster = sampleCluster()
            cluster.nodes[2].role = .witness
            change(&cluster.nodes[1])
            return cluster
        }
        #expect(refusal(cluster { _ in }) == nil)
        #expect(refusal(cluster { $0.capacity = 0 }) == .noEligibleTarget)
        #expect(refusal(cluster { $0.role = .witness }) == .noEligibleTarget)
        #expect(refusal(cluster { $0.status = .degraded }) == .noEligibleTarget)
        #expect(refusal(cluster { $0.lagMs = 5001 }) == .noEligibleTarget)
        #expect(refusal(cluster { $0.lagMs = 5000 }) == nil)
    }

    @Test func aRequestedTargetMustBeEligibleToo() throws {
        #expect(try plan(sampleCluster(), target: "node-3").failoverTargetID == "node-3")
        for wanted: NodeID in ["node-1", "node-9"] {
            #expect(throws: PlanRefusal.self) { try plan(sampleCluster(), target: wanted) }
        }
    }

    // MARK: Policy

    @Test func quorumAndHealthyNodesStopAPlan() {
        var cluster = sampleCluster()
        cluster.nodes[0].status = .failed
        #expect(refusal(cluster) == nil)
        cluster.nodes[2].status = .failed
        #expect(refusal(cluster) == .noQuorum)
        var lenient = samplePolicy()
        lenient.requireQuorum = false
        #expect(refusal(cluster, lenient) == nil)
        lenient.strategy = .quorumBased
        #expect(refusal(cluster, lenient) == .noQuorum)

        var demanding = samplePolicy()
        demanding.minHealthyNodes = 3
        #expect(refusal(sampleCluster(), demanding) == .minHealthyNodes)
    }

    @Test func aSwitchoverCountsTheOldPrimaryAsHealthy() throws {
        var demanding = samplePolicy()
        demanding.minHealthyNodes = 3
        #expect(try plan(sampleCluster(), demanding, kind: .switchover).kind == .switchover)
    }

    @Test func selectionAgreesWithASortOnLargeClusters() throws {
        let cluster = largeCluster(1000)
        var policy = samplePolicy()
        policy.regionPriority = ["region-3", "region-1"]
        policy.sitePriority = ["site-7"]
        func rank(_ node: Node) -> [Int64] {
            [
                Int64(policy.regionPriority.firstIndex(of: node.region) ?? 9),
                Int64(policy.sitePriority.firstIndex(of: node.site) ?? 9), -node.priority,
                -node.capacity, node.lagMs ?? .max,
            ]
        }
        let expected = cluster.nodes
            .filter { $0.role == .secondary && $0.capacity > 0 && ($0.lagMs ?? 0) <= 5000 }
            .min {
                let left = rank($0)
                let right = rank($1)
                return left == right
                    ? $0.nodeID < $1.nodeID : left.lexicographicallyPrecedes(right)
            }
        #expect(try plan(cluster, policy).failoverTargetID == expected?.nodeID)
    }
}
