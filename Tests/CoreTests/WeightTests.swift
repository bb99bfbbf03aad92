import ContinuityConfig
import ContinuityCore
import Testing

@Suite struct WeightTests {
    private func cluster(_ nodes: [Node]) -> Cluster {
        Cluster(clusterID: "demo", topology: .activeActive, nodes: nodes)
    }

    private func node(
        _ id: String, weight: Int64 = 100, capacity: Int64 = 100, status: NodeStatus = .healthy
    ) -> Node {
        Node(
            nodeID: NodeID(id), role: .primary, status: status, capacity: capacity, weight: weight,
            agentURL: "http://127.0.0.1:7100", serviceAddress: "127.0.0.1:5432")
    }

    private func divide(
        _ nodes: [Node], current: [NodeID: Int64] = [:], mayReturn: Bool = true
    ) -> [Int64] {
        WeightPlanner(cluster: cluster(nodes), policy: samplePolicy())
            .divide(current: current, mayReturn: mayReturn).weights.map(\.weight)
    }

    // MARK: Dividing

    @Test func theLoadIsDividedByWeightWithinCapacity() {
        #expect(divide([node("a"), node("b"), node("c")]) == [100, 100, 100])
        #expect(divide([node("a", status: .failed), node("b"), node("c")]) == [0, 150, 150])
        #expect(
            divide([
                node("a", weight: 60, status: .failed), node("b", weight: 20),
                node("c", weight: 40),
            ])
                == [0, 40, 80])
        // b bears half of the whole at most: c takes what is left.
        #expect(
            divide([node("a", status: .failed), node("b", capacity: 40), node("c")])
                == [0, 120, 180])
        // A node that nobody is sure of keeps what it has and takes nothing more.
        #expect(
            divide([node("a", status: .failed), node("b", status: .unknown), node("c")])
                == [0, 100, 200])
    }

    @Test func aNodeReturnsInSteps() {
        let nodes = [node("a"), node("b"), node("c")]
        #expect(
            divide(nodes, current: ["a": 0, "b": 150, "c": 150]) == [25, 138, 137])
        #expect(
            divide(nodes, current: ["a": 0, "b": 150, "c": 150], mayReturn: false) == [0, 150, 150])
        #expect(divide(nodes, current: ["a": 90, "b": 105, "c": 105]) == [100, 100, 100])
        // With nobody else wholly in service, those that return bear it all.
        let alone = [node("a"), node("b", status: .failed)]
        #expect(divide(alone, current: ["a": 0, "b": 0]) == [200, 0])
    }

    /// For any cluster: nothing is lost, nobody gets more than it can bear, and a second look at
    /// the result changes nothing.
    @Test func itIsSoundForAnyCluster() {
        var seed: UInt64 = 1
        func next(_ bound: Int64) -> Int64 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(seed >> 33) % bound
        }
        for _ in 0..<2000 {
            let nodes = (0..<(2 + Int(next(6)))).map { index in
                node(
                    "n\(index)", weight: next(200), capacity: 60 + next(41),
                    status: [.healthy, .healthy, .failed, .unknown][Int(next(4))])
            }
            let cluster = cluster(nodes)
            guard cluster.firstProblem() == nil else { continue }
            let planner = WeightPlanner(cluster: cluster, policy: samplePolicy())
            let result = planner.divide(current: [:], mayReturn: true)
            let sum = result.weights.reduce(0) { $0 + $1.weight }
            #expect(sum <= cluster.totalWeight)
            #expect((sum == cluster.totalWeight) == (result.shedPermille == 0))
            for (share, node) in zip(result.weights, nodes) {
                #expect(share.weight * 100 <= cluster.totalWeight * node.capacity)
                if node.status == .failed { #expect(share.weight == 0) }
            }
            let current = Dictionary(
                result.weights.map { ($0.nodeID, $0.weight) }, uniquingKeysWith: { $1 })
            #expect(planner.divide(current: current, mayReturn: false) == result)
        }
    }

    // MARK: Plans

    @Test func aPlanIsTheSameBytesAndRoundTrips() throws {
        let cluster = cluster([node("a", status: .failed), node("b"), node("c")])
        let request = PlanRequest(kind: .rebalance, triggerReason: "node_lost")
        let plan = try Planner.plan(
            cluster: cluster, policy: samplePolicy(), request: request, digest: .real)
        #expect(plan.actions.map(\.action) == [.dnsFlip, .notify, .verify])
        #expect(plan.primaryNodeID == "a" && plan.failoverTargetID == "b")
        let again = try Planner.plan(
            cluster: cluster, policy: samplePolicy(), request: request, digest: .real)
        #expect(again == plan)
        #expect(try CanonicalJSON.bytes(encoding: plan) == plan.canonicalBytes())
    }

    @Test(arguments: [
        (
            "role: primary, weight: 0}\n  - {node_id: b, role: primary, weight: 0", 1,
            "no node is active"
        ),
        (
            "role: primary, capacity: 40}\n  - {node_id: b, role: primary", 4,
            "more than its capacity of 40 %"
        ),
    ])
    func mistakesAreNamedWithTheirLine(_ nodes: String, _ line: Int, _ message: String) {
        let text = "cluster_id: x\ntopology: active_active\nnodes:\n  - {node_id: a, \(nodes)}\n"
        let error = #expect(throws: ConfigError.self) {
            try ClusterFile.read(ConfigReader.parse(text: text, file: "c.yaml"))
        }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        #expect(message.contains("no node") || error?.line == line, "\(String(describing: error))")
    }

    // MARK: Running

    private func world(_ change: (inout FailoverPolicy) -> Void = { _ in }) -> TestWorld {
        var policy = samplePolicy(hooks: [HookBinding(stage: .dnsFlip, pack: "flip")])
        policy.weights = WeightSettings(returnStepPermille: 500, returnIntervalS: 10)
        change(&policy)
        var world = TestWorld(
            cluster: cluster([node("a"), node("b"), node("c")]), policy: policy)
        world.settle()
        return world
    }

    private func weights(_ world: TestWorld) -> [Int64] {
        ["a", "b", "c"].map { world.state.weight(of: $0) }
    }

    @Test func losingANodeShiftsItsWeightAndPromotesNobody() throws {
        var world = world()
        #expect(world.state.health == .healthy)
        world.services["a"]?.agentIsUp = false
        world.services["a"]?.state = .stopped
        world.run(forMs: 8_000)
        #expect(weights(world) == [0, 150, 150])
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(!world.commands.contains { $0.name != .status }, "nobody is ordered anything")
        let plan = try #require(world.hooks.first?.context["plan"])
        #expect(plan["weights"]?.array?.map { $0["weight"]?.int } == [0, 150, 150])
        let nodes = world.hooks.first?.context["cluster"]?["nodes"]?.array
        #expect(nodes?.map { $0["weight"]?.int } == [100, 100, 100], "as it was before")
        // A restart forgets nothing, and changes nothing.
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 8_000)
        #expect(weights(world) == [0, 150, 150])
        #expect(world.finishedRuns.count == 1)
        // Back: half of its own, and ten seconds later the rest.
        world.services["a"]?.agentIsUp = true
        world.run(forMs: 5_000)
        #expect(world.commands.contains { $0.name == .restart && $0.nodeID == "a" })
        #expect(weights(world) == [50, 125, 125])
        world.run(forMs: 12_000)
        #expect(weights(world) == [100, 100, 100])
        #expect(world.state.term == 1)
    }

    @Test func leasesExcludeNobodyAndOutlastAnOutageOfTheControlPlane() {
        var world = world()
        for id: NodeID in ["a", "b", "c"] {
            guard case .report(let reply) = world.heartbeat(id) else {
                Issue.record("no answer")
                return
            }
            #expect((reply.leaseMs ?? 0) >= 600_000)
        }
    }

    @Test func aClusterThatBecomesActivePassiveWaitsForTheLongLeases() throws {
        var world = world()
        var nodes = world.cluster.nodes
        nodes[1].role = .secondary
        nodes[2].role = .secondary
        let passive = Cluster(clusterID: "demo", nodes: nodes)
        world.step(
            .leadershipGained(
                instanceID: "next",
                clusters: [
                    ClusterConfigured(
                        cluster: passive, policy: world.policy, alertChannels: ["oncall"])
                ]))
        world.services["b"]?.role = .secondary
        world.services["c"]?.role = .secondary
        world.run(forMs: 20_000)
        world.services["a"]?.agentIsUp = false
        world.run(forMs: 20_000)
        #expect(!world.kinds.contains("fence_proven"))
        #expect(!world.kinds.contains("primary_changed"))
    }

    @Test func withoutQuorumNothingIsShifted() {
        var world = world()
        for id: NodeID in ["a", "b"] {
            world.services[id]?.agentIsUp = false
            world.services[id]?.state = .stopped
        }
        world.run(forMs: 10_000)
        #expect(weights(world) == [100, 100, 100])
        #expect(world.state.hold?.rule == .noQuorum)
    }

    @Test func theFleetWideBrakeCountsLossesAndLetsNodesReturn() {
        var world = world { $0.weights?.returnIntervalS = 0 }
        world.brake = BrakeSettings(maxFailovers: 1, windowS: 3600)
        world.start()
        world.settle()
        world.commandFailures[.restart] = .failed
        world.services["a"]?.state = .stopped
        world.settle()
        #expect(weights(world) == [0, 150, 150])
        world.services["b"]?.state = .stopped
        world.settle()
        #expect(world.state.hold?.rule == .fleetBrake)
        #expect(weights(world) == [0, 150, 150])
        world.services["b"]?.state = .running
        world.services["a"]?.state = .running
        world.run(forMs: 10_000)
        #expect(weights(world) == [100, 100, 100])
    }

    @Test func pausedWeightsStay() {
        var world = world()
        world.step(
            .order(
                .pause("demo", SuspensionWish(owner: "o", reason: "r", durationS: 60)), by: "o"))
        world.commandFailures[.restart] = .failed
        world.services["a"]?.state = .stopped
        world.settle()
        #expect(world.state.hold?.rule == .paused)
        #expect(weights(world) == [100, 100, 100])
    }
}
