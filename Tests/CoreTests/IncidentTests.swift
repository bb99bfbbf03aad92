import ContinuityCore
import Testing

/// What other people's incidents did to it (issue 15), where the core decides.
@Suite struct IncidentTests {
    private func touched(_ world: TestWorld) -> [AgentCommand.Name] {
        world.commands.map(\.name).filter { $0 != .status }
    }

    // MARK: 1. Targets that cannot be used

    @Test func aTargetThatDoesNotTellItsPositionGivesWayToTheNextInTheSameRun() {
        var world = TestWorld()
        world.settle()
        world.silentPositions = ["node-2"]
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(world.state.primary == "node-3")
        let replanned = world.bodies {
            if case .runReplanned(let body) = $0 { body } else { nil }
        }
        #expect(replanned.map(\.fromNodeID) == ["node-2"])
        #expect(replanned.first?.reason?.contains("does not tell its position") == true)
    }

    @Test func aCheckThatVetoesOneTargetIsAskedAboutTheNext() {
        let check = HookBinding(stage: .preCheck, pack: "check")
        var world = TestWorld(policy: samplePolicy(hooks: [check]))
        world.vetoes = ["check": ["node-2"]]
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.state.primary == "node-3")
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func oneThatFailedLatelyComesLastAndThePlanSaysWhy() throws {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.promote] = .refused
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.failed], "both refuse")
        #expect(world.state.targetFailures.keys.sorted() == ["node-2", "node-3"])
        world.commandFailures = [:]
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-2", "where all have failed the order stays")

        var other = TestWorld()
        other.settle()
        other.silentPositions = ["node-2"]
        other.services["node-1"]?.state = .stopped
        other.heartbeat("node-1")
        other.silentPositions = []
        other.run(forMs: 5000)
        other.services["node-3"]?.state = .stopped
        other.heartbeat("node-3")
        let last = try #require(
            other.bodies { if case .runRequested(let body) = $0 { body } else { nil } }.last)
        #expect(last.plan.failoverTargetID == "node-1")
        #expect(last.plan.passedOver?.map(\.nodeID) == ["node-2"])
        #expect(last.plan.canonicalBytes() == (try CanonicalJSON.bytes(encoding: last.plan)))
    }

    @Test func aTargetThatAPersonNamedIsNotReplaced() {
        var world = TestWorld()
        world.settle()
        world.silentPositions = ["node-2"]
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: "node-2", reason: "so",
                    requestedBy: "sre")))
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(world.state.primary == "node-1")
    }

    // MARK: 3. Nobody is primary

    @Test func aPrimaryThatComesUpAsAStandbyIsAnOutage() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.role = .secondary
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func whereNothingMovesByItselfItIsToldAndHeld() {
        var policy = samplePolicy()
        policy.strategy = .manual
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-1"]?.role = .secondary
        world.run(forMs: 10_000)
        #expect(world.state.hold?.rule == .strategyManual)
        #expect(!world.alerts("continuity.hold.set").isEmpty)
    }

    // MARK: 4. The wrong node is marked

    @Test func aPrimaryThatIsFoundRunningIsAdoptedNotFought() {
        var world = TestWorld()
        world.services["node-1"] = .init(role: .secondary)
        world.services["node-2"] = .init(role: .primary, streaming: false)
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-2")
        #expect(world.state.health == .healthy)
        #expect(touched(world).allSatisfy { $0 == .follow })
        let requested = world.bodies {
            if case .runRequested(let body) = $0 { body } else { nil }
        }
        #expect(requested.map(\.kind) == [.adopt])
        #expect(requested.map(\.trigger) == [RunTrigger.foundRunning])
    }

    @Test func whileANodeIsNotHeardNobodyIsAdopted() {
        var world = TestWorld()
        world.services["node-1"] = .init(role: .secondary)
        world.services["node-2"] = .init(role: .primary, streaming: false)
        world.run(forMs: 10_000, silent: ["node-3"])
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .anotherPrimary)
        #expect(touched(world).isEmpty)
    }

    /// It may hold what nobody else does, and adopting another would make it rejoin.
    @Test func aMarkedPrimaryThatIsStoppedIsNotPassedOver() {
        var world = TestWorld()
        world.services["node-1"] = .init(state: .stopped, role: .primary, streaming: false)
        world.services["node-2"] = .init(role: .primary, streaming: false)
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .anotherPrimary)
        #expect(touched(world).isEmpty)
    }

    @Test func twoThatRunAsPrimaryAreNotChosenBetween() {
        var world = TestWorld()
        world.services["node-1"] = .init(role: .secondary)
        for node in ["node-2", "node-3"] as [NodeID] {
            world.services[node] = .init(role: .primary, streaming: false)
        }
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .anotherPrimary)
        #expect(touched(world).isEmpty)
    }

    // MARK: 10. What only a repair can mend

    /// Commits wait for a standby, so the probes fail, so the primary counts as unwell; and only
    /// the standby that rejoins mends it.
    @Test func aStandbyRejoinsAPrimaryThatWaitsForIt() {
        var policy = samplePolicy()
        policy.strategy = .manual
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-2"]?.state = .stopped
        world.services["node-3"]?.state = .stopped
        world.services["node-1"]?.state = .failing
        for node in ["node-1", "node-2", "node-3"] as [NodeID] { world.heartbeat(node) }
        world.run(forMs: 3000)
        #expect(touched(world).contains(.rejoin))
        #expect(!touched(world).contains(.fence))
    }

    @Test func aServerThatHangsIsStoppedBeforeItIsStarted() throws {
        var policy = samplePolicy()
        policy.onServiceFailure = .restart
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-1"]?.state = .failing
        world.run(forMs: 10_000)
        let orders = world.commands.filter { $0.nodeID == "node-1" && $0.name != .status }
        #expect(orders.prefix(2).map(\.name) == [.fence, .restart])
        #expect(world.state.primary == "node-1")
        #expect(world.state.health == .healthy)
    }

    // MARK: 6. Standbys that work and take no changes

    private func orders(_ world: TestWorld, _ node: NodeID) -> [AgentCommand.Name] {
        world.commands.filter { $0.nodeID == node && $0.name != .status }.map(\.name)
    }

    /// Late on purpose, refused by the primary, behind a network: it was fenced after 12 s.
    @Test func aStandbyThatReplaysInPeaceIsLeftInPeace() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.streaming = false
        world.services["node-3"]?.position = 900
        world.unfed = ["node-3"]
        world.run(forMs: 3_600_000)
        let orders = orders(world, "node-3")
        #expect(Set(orders) == [.follow], "\(Set(orders))")
        #expect(orders.count < 30, "ever less often: \(orders.count)")
        #expect(world.state.statuses["node-3"] == .degraded)
        #expect(
            world.alerts("continuity.cluster.degraded").first?.summary.contains("node-3") == true)
        world.unfed = []
        world.run(forMs: 310_000)
        #expect(world.state.statuses["node-3"] == .healthy)
        world.services["node-3"]?.streaming = false
        world.unfed = ["node-3"]
        let before = self.orders(world, "node-3").count
        world.run(forMs: 20_000)
        #expect(self.orders(world, "node-3").count > before, "it is helped at once again")
    }

    @Test func aStandbyWithAnotherHistoryIsStoppedAndRejoins() throws {
        var policy = samplePolicy()
        policy.rejoin = .ask
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-3"]?.streaming = false
        world.services["node-3"]?.position = 900
        world.diverged = ["node-3"]
        world.run(forMs: 30_000)
        #expect(orders(world, "node-3") == [.follow, .fence, .rejoin])
        #expect(world.state.statuses["node-3"] == .healthy)
        #expect(world.commands.last { $0.name == .rejoin }?.rejoin == .ask)
        #expect(world.commands.allSatisfy { ($0.rejoin != nil) == ($0.name == .rejoin) })
        #expect(world.alerts("continuity.node.upkeep_failing").isEmpty)
    }

    /// Positions prove it as well: nobody who takes changes from the primary has more than it.
    @Test func aStandbyThatHasMoreThanItsPrimaryIsStoppedAndRejoins() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.streaming = false
        world.services["node-3"]?.position = 1001
        world.unfed = ["node-3"]
        world.run(forMs: 60_000)
        #expect(orders(world, "node-3").contains(.fence))
        #expect(orders(world, "node-3").contains(.rejoin))
    }

    // MARK: 12. Witnesses

    @Test(arguments: [ServiceReport.State.stopped, .unknown, .failing])
    func aWitnessHasNoServiceThatCouldFail(_ state: ServiceReport.State) {
        var cluster = sampleCluster()
        cluster.nodes[2].role = .witness
        var world = TestWorld(cluster: cluster)
        world.services["node-3"] = .init(state: state, role: .unknown, streaming: false)
        world.settle()
        #expect(world.state.health == .healthy)
    }
}
