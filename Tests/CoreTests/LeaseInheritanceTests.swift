import ContinuityCore
import Testing

/// Leases are waited out as they were granted, whatever the policy says now.
@Suite struct LeaseInheritanceTests {
    private static func relaxed() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.detection = .relaxed
        policy.lease = LeaseSettings(detection: .relaxed)
        return policy
    }

    private static func lan() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.detection = .lan
        policy.lease = LeaseSettings(detection: .lan)
        return policy
    }

    /// Issue 13, 1: the lease of 15 s was granted just before; only the policy has changed.
    @Test func aLeaseIsWaitedOutThoughTheNextPolicyGrantsShorterOnes() throws {
        var world = TestWorld(policy: Self.relaxed())
        world.run(forMs: 20_000)
        world.heartbeat("node-1")
        let grantedUntilMs = world.nowMs + 15_000
        world.policy = Self.lan()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        try world.restart(keeping: world.journal.count)
        while world.nowMs < grantedUntilMs {
            world.run(forMs: 250, silent: ["node-1"])
            #expect(world.fenceProofs.isEmpty, "promoted \(grantedUntilMs - world.nowMs) ms early")
        }
        world.run(forMs: 10_000, silent: ["node-1"])
        #expect(world.fenceProofs.map(\.proof) == [.leaseExpired])
        #expect(world.state.primary == "node-2")
    }

    /// The second process knows of the old lease by the journal alone, and its UTC may have jumped.
    @Test func itIsWaitedOutThroughASecondRestart() throws {
        var world = TestWorld(policy: Self.relaxed())
        world.run(forMs: 20_000)
        world.heartbeat("node-1")
        let grantedUntilMs = world.nowMs + 15_000
        world.policy = Self.lan()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 2000, silent: ["node-1"])
        world.utcOffsetMs = 3_600_000
        try world.restart(keeping: world.journal.count)
        while world.nowMs < grantedUntilMs {
            world.run(forMs: 250, silent: ["node-1"])
            #expect(world.fenceProofs.isEmpty)
        }
    }

    @Test func onceWaitedOutItIsForgotten() throws {
        var world = TestWorld(policy: Self.relaxed())
        world.run(forMs: 20_000)
        world.policy = Self.lan()
        try world.restart(keeping: world.journal.count)
        #expect(world.state.formerLeaseMs == 15_000)
        world.run(forMs: 20_000)
        #expect(world.state.formerLeaseMs == nil)
        try world.restart(keeping: world.journal.count)
        #expect(world.orchestrator.leaseEndMs("node-1", "demo") == world.nowMs + 1100)
    }

    /// Issue 13, 19: nothing is excluded by it, so nothing ends with it; and what was told once is
    /// believed until the node says otherwise.
    @Test func aNodeThatWasActiveWithoutALeaseIsNotTakenForFencedByItsEnd() throws {
        var world = TestWorld()
        world.cluster.topology = .activeActive
        for index in world.cluster.nodes.indices { world.cluster.nodes[index].role = .primary }
        for node in world.cluster.nodes { world.services[node.nodeID]?.role = .primary }
        try world.restart(keeping: 0)
        world.settle()
        guard case .report(let reply)? = world.heartbeat("node-2") else {
            Issue.record("not answered")
            return
        }
        #expect(reply.isUnleased == true)
        world.cluster = sampleCluster()
        try world.restart(keeping: world.journal.count)
        #expect(world.state.unleased == ["node-1", "node-2", "node-3"])
        world.leaderships["node-1"] = (world.orchestrator.state.epoch, "test")
        world.isUnleased = ["node-1"]
        world.heartbeat("node-1")
        #expect(world.state.unleased.contains("node-1"))
        world.isUnleased = []
        world.heartbeat("node-1")
        #expect(!world.state.unleased.contains("node-1"))
    }

    /// Issue 13, 9: the process that had seen it is gone, the service is not.
    @Test func whatOutlivedItsLeaseIsRememberedThroughARestart() throws {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 20_000)
        #expect(world.state.outlivedLease == ["node-1"])
        try world.restart(keeping: world.journal.count)
        // Paused, overloaded, or cut off: it is not reached any more.
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 60_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .peersReachPrimary)
        world.services["node-1"]?.agentIsUp = true
        world.heartbeat("node-1")
        #expect(world.state.outlivedLease.isEmpty)
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-2")
    }

    /// One voter of five is no majority, and no less a sign of life.
    @Test func aMinorityThatReachesItBarsTheEndOfItsLeaseAsProof() {
        var world = TestWorld(cluster: fiveNodes())
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        let isGone: [NodeID: PeerView] = ["node-1": .unreachable]
        func pass(_ ms: Int64, oneSees view: PeerView) {
            for _ in 0..<(ms / 500) {
                world.nowMs += 500
                for node in ["node-2", "node-3", "node-4"] as [NodeID] {
                    world.heartbeat(node, views: isGone)
                }
                world.heartbeat("node-5", views: ["node-1": view])
                world.step(.tick)
            }
        }
        pass(20_000, oneSees: .serviceOnly)
        #expect(world.fenceProofs.isEmpty)
        #expect(world.state.primary == "node-1")
        #expect(world.state.outlivedLease == ["node-1"])
    }
}

/// Five nodes, each at a site of its own.
func fiveNodes() -> Cluster {
    Cluster(
        clusterID: "demo",
        nodes: (1...5).map { number in
            Node(
                nodeID: NodeID("node-\(number)"), role: number == 1 ? .primary : .secondary,
                region: "region-1", site: "site-\(number)",
                agentURL: "http://127.0.0.1:\(7100 + number)",
                serviceAddress: "127.0.0.1:\(5430 + number)")
        })
}
