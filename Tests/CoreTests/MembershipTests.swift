import ContinuityCore
import Testing

/// Issue 13, 11 and 16: which nodes there are, and whose promises count.
@Suite struct MembershipTests {
    private func withFourth() -> Cluster {
        var cluster = sampleCluster()
        cluster.nodes.append(
            Node(
                nodeID: "node-4", role: .secondary, region: "region-2", site: "site-d",
                agentURL: "http://127.0.0.1:7104", serviceAddress: "127.0.0.1:5434"))
        return cluster
    }

    private func strict() -> FailoverPolicy {
        var policy = samplePolicy()
        policy.rpoS = 0
        policy.restartAttempts = 0
        return policy
    }

    /// Every two smallest sets of promises and denials have a voter in common.
    @Test(arguments: 1...9)
    func promisesAndDenialsIntersect(_ count: Int) {
        let voters = (1...count).map { NodeID("node-\($0)") }
        for quorum in Cluster.majority(of: count)...count {
            let rule = PromiseRule(voters: voters, needed: count - quorum)
            #expect(rule.needed + rule.denialsNeeded > count - 1)
            #expect(rule.denialsNeeded == quorum)
        }
    }

    @Test func aDeadPrimaryWaitsForTheConfigurationOfOthers() throws {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.cluster = withFourth()
        try world.restart(keeping: world.journal.count)
        #expect(world.state.cluster.nodes.count == 3)
        world.run(forMs: 10_000, silent: ["node-1"])
        #expect(world.state.primary == "node-2", "the nodes that are known decide")
        world.run(forMs: 5000)
        #expect(world.state.cluster.nodes.count == 4, "and take in the new one afterwards")
    }

    /// A reload of the packs names every cluster as the files have it. Which nodes there are must
    /// wait for the primary all the same.
    @Test func newPacksDoNotBringOtherNodesWithThem() throws {
        var world = TestWorld(
            policy: samplePolicy(hooks: [HookBinding(stage: .dnsFlip, pack: "dns")]))
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.cluster = withFourth()
        try world.restart(keeping: world.journal.count)
        #expect(world.state.cluster.nodes.count == 3)
        var policy = world.policy
        policy.hooks[0].packSHA256 = "second"
        let reply = world.step(
            .hookPacksChanged(
                HookPacksChanged(
                    changes: [.init(pack: "dns", fromSHA256: nil, toSHA256: "second")],
                    rejected: []),
                clusters: [
                    ClusterConfigured(
                        cluster: world.cluster, policy: policy, alertChannels: ["oncall"])
                ], requestedBy: "SIGHUP"))
        guard case .hookPacksChanged? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(world.state.policy.hooks.map(\.packSHA256) == ["second"])
        #expect(world.state.cluster.nodes.count == 3, "the nodes wait for the primary")
        #expect(world.orchestrator.configuration.clusters[0].cluster.nodes.count == 4)
        world.services["node-1"]?.agentIsUp = true
        world.services["node-1"]?.state = .running
        world.run(forMs: 10_000)
        #expect(world.state.cluster.nodes.count == 4)
        #expect(world.state.policy.hooks.map(\.packSHA256) == ["second"])
    }

    @Test func oneThatIsAddedMayHoldWhatThePrimaryAcknowledged() throws {
        var world = TestWorld(policy: strict())
        world.settle()
        world.cluster = withFourth()
        world.services["node-4"] = .init(role: .secondary)
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 5000, silent: ["node-4"])
        #expect(world.state.possibleHolders.contains("node-4"))
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000, silent: ["node-4"])
        #expect(world.state.hold?.rule == .mayLoseWrites)
        #expect(world.state.hold?.evidence.contains("node-4") == true)
    }

    /// Issue 14, 4: it would fence itself, with nobody to take its place.
    @Test func thePrimaryIsNotRemoved() throws {
        var world = TestWorld()
        world.settle()
        world.cluster.nodes.removeFirst()
        world.cluster.nodes[0].role = .primary
        try world.restart(keeping: world.journal.count)
        for _ in 0..<20 {
            world.nowMs += 500
            for node in ["node-1", "node-2", "node-3"] as [NodeID] {
                guard case .report(let reply)? = world.heartbeat(node) else { continue }
                #expect((reply.leaseMs != nil) == (node == "node-1"))
            }
        }
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .configurationConflict)
        #expect(world.state.hold?.evidence.contains("continuity switchover") == true)
        #expect(!world.alerts("continuity.hold.set").isEmpty)
    }

    @Test func oneThatStillStreamsIsNotRemovedWhereNothingMayBeLost() throws {
        var world = TestWorld(policy: strict())
        world.settle()
        world.cluster.nodes.removeLast()
        try world.restart(keeping: world.journal.count)
        for _ in 0..<10 {
            world.nowMs += 500
            for node in ["node-1", "node-2", "node-3"] as [NodeID] { world.heartbeat(node) }
            world.step(.tick)
        }
        #expect(world.state.cluster.nodes.count == 3)
        #expect(world.state.hold?.evidence.contains("stop its service") == true)
        world.services["node-3"]?.state = .stopped
        world.services["node-1"]?.position = 5000
        world.heartbeat("node-3")
        #expect(world.state.cluster.nodes.count == 3, "the primary has told nothing since")
        world.nowMs += 500
        world.heartbeat("node-1")
        world.step(.tick)
        #expect(world.state.cluster.nodes.count == 2)
        #expect(world.state.termFloorBytes == 5000)
    }

    /// The primary may still ask by the old rule: denials are needed that bar both.
    @Test func earlierRulesForPromisesCountUntilThePrimaryKnowsTheNewest() throws {
        var world = TestWorld(cluster: fiveNodes())
        world.settle()
        var raised = fiveNodes()
        raised.quorumSize = 4
        world.cluster = raised
        try world.restart(keeping: world.journal.count)
        #expect(world.state.promiseRules.map(\.needed) == [2, 1])
        world.promiseRules["node-1"] = world.state.promiseRules[0].id
        world.settle()
        #expect(world.state.promiseRules.count == 2)
        world.promiseRules["node-1"] = world.state.promiseRules[1].id
        world.settle()
        #expect(world.state.promiseRules.map(\.needed) == [1])
    }

    /// Two of three voters must deny; one does not know the request.
    @Test func aLeasesEndIsNoProofWithoutTheDenialsOfAMajority() {
        var world = TestWorld()
        world.deniesNothing = ["node-3"]
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 6000)
        #expect(world.fenceProofs.isEmpty)
        #expect(world.finishedRuns.first?.reason.contains("node-3") == true)
        world.deniesNothing = []
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        let denials = world.commands.filter { $0.deniesPromisesTo == "node-1" }
        #expect(Set(denials.map(\.nodeID)) == ["node-2", "node-3"])
    }

    /// Issue 13, 21: the run is shorter than a promise, and the next one finds it over.
    @Test func aDenialOutlastsARunThatEndsBeforeThePromise() {
        var policy = samplePolicy()
        policy.maxFailoverTimeS = 1
        var world = TestWorld(policy: policy)
        world.settle()
        world.unanswered = [.status]
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 8000, silent: ["node-1"])
        #expect(world.finishedRuns.first?.state == .failed)
        guard case .report(let reply)? = world.heartbeat("node-2") else {
            Issue.record("not answered")
            return
        }
        #expect(reply.endsDenials == false)
    }

    /// Issue 13, 15: its agent answers the peers, its service does not run.
    @Test func aStoppedServiceIsNotReachedHoweverItsAgentAnswers() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .stopped
        let views: [NodeID: PeerView] = ["node-1": .serviceStopped]
        for _ in 0..<30 {
            world.nowMs += 500
            for node in ["node-2", "node-3"] as [NodeID] { world.heartbeat(node, views: views) }
            world.step(.tick)
        }
        #expect(world.state.primary == "node-2")
    }

    /// Issue 13, 20.
    @Test func peersThatReachThePrimaryCountWhereNoQuorumIsRequired() {
        var policy = samplePolicy()
        policy.requireQuorum = false
        var world = TestWorld(policy: policy)
        world.settle()
        world.run(forMs: 20_000, silent: ["node-1"])
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .peersReachPrimary)
    }

    /// Issue 13, 16: our own fence is no failure of the service, and a pause is no reason to keep
    /// it stopped.
    @Test(arguments: [FailoverPolicy.Strategy.manual, .scheduled])
    func aServiceThatItsOwnNodeFencedIsStartedAgain(_ strategy: FailoverPolicy.Strategy) {
        var policy = samplePolicy()
        policy.strategy = strategy
        policy.restartAttempts = 0
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.fenced = ["node-1"]
        world.run(forMs: 3000)
        #expect(world.services["node-1"]?.state == .running)
        #expect(world.state.primary == "node-1")
        #expect(world.state.restartsAtMs.isEmpty)
    }

    @Test func aPauseKeepsNothingOutOfService() {
        var policy = samplePolicy()
        policy.restartAttempts = 0
        var world = TestWorld(policy: policy)
        world.settle()
        world.step(
            .order(
                .pause("demo", SuspensionWish(owner: "sre", reason: "work", durationS: 3600)),
                by: "sre"))
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 3000)
        #expect(world.services["node-1"]?.state == .stopped, "it failed by itself: the pause holds")
        world.fenced = ["node-1"]
        world.run(forMs: 3000)
        #expect(world.services["node-1"]?.state == .running)
    }

    // MARK: Clusters

    /// Issue 15, 25: it stayed in the status and in the metrics for ever.
    @Test func aClusterThatTheFilesDoNotNameIsReleasedAndComesBackAsItWas() throws {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 10_000, silent: ["node-1"])
        #expect(world.state.primary == "node-2")
        let id = world.cluster.clusterID
        func lead(_ clusters: [ClusterConfigured]) throws {
            var state = OrchestratorState()
            for entry in world.journal { try state.replay(entry) }
            world.orchestrator = Orchestrator(state: state, digest: .real)
            world.step(
                .leadershipGained(instanceID: "x", clusters: clusters, brake: BrakeSettings()))
        }
        try lead([])
        #expect(world.kinds.suffix(4).contains("cluster_released"))
        #expect(world.alerts("continuity.cluster.released").count == 1)
        #expect(world.orchestrator.statusReport(at: world.now).clusters.isEmpty)
        guard case .unknownCluster? = world.heartbeat("node-2") else {
            Issue.record("nothing is decided for it")
            return
        }
        try lead([])
        #expect(world.kinds.filter { $0 == "cluster_released" }.count == 1, "said once")
        try lead([
            ClusterConfigured(
                cluster: world.cluster, policy: world.policy, alertChannels: ["oncall"])
        ])
        #expect(world.orchestrator.statusReport(at: world.now).clusters.map(\.clusterID) == [id])
        #expect(world.state.primary == "node-2", "what was known of it is known again")
    }
}
