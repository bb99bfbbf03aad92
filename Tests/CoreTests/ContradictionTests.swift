import ContinuityCore
import Testing

/// Where file, journal and reports contradict each other nothing is touched.
@Suite struct ContradictionTests {
    private func touched(_ world: TestWorld) -> [AgentCommand.Name] {
        world.commands.map(\.name).filter { $0 != .status }
    }

    /// The state of a journal that was copied before a failover, with what is true now.
    private func restored() throws -> TestWorld {
        var world = TestWorld()
        world.settle()
        let backup = world.journal.count
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-2")
        world.commands = []
        try world.restart(keeping: backup)
        return world
    }

    /// Issue 13, 13: the true primary reports first.
    @Test func theTruePrimaryOfARestoredJournalIsNotTouched() throws {
        var world = try restored()
        for node in ["node-2", "node-3", "node-1"] as [NodeID] { world.heartbeat(node) }
        world.run(forMs: 20_000)
        #expect(touched(world).isEmpty)
        #expect(world.services["node-2"]?.state == .running)
        #expect(world.state.hold?.rule == .anotherPrimary)
        #expect(world.state.hold?.evidence.contains("continuity adopt") == true)
        #expect(!world.alerts("continuity.hold.set").isEmpty)
    }

    /// The journal's primary is stopped: that is a reason to fail over, were nobody else primary.
    @Test func aStoppedPrimaryIsNotFailedOverBesideAnother() throws {
        var world = try restored()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(touched(world).isEmpty)
        #expect(world.state.hold?.rule == .anotherPrimary)
        let refused = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: "node-3", reason: "now",
                    requestedBy: "sre")))
        guard case .refused(let refusal)? = refused else {
            Issue.record("a third primary may be made")
            return
        }
        #expect(refusal.rule == .anotherPrimary)
    }

    @Test func aPersonAdoptsTheTruePrimary() throws {
        var world = try restored()
        world.run(forMs: 10_000)
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .adopt, targetNodeID: "node-2",
                    reason: "the journal is older than the failover", requestedBy: "sre")))
        guard case .accepted? = reply else {
            Issue.record("refused: \(String(describing: reply))")
            return
        }
        #expect(world.state.primary == "node-2")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        world.run(forMs: 10_000)
        #expect(Set(touched(world)) == [.follow], "the others are pointed to it")
        #expect(world.state.hold == nil)
        #expect(world.state.health == .healthy)
    }

    @Test func adoptionNeedsApprovalWhereAFailoverDoes() throws {
        var world = try restored()
        world.policy.approvals = ApprovalPolicy(failover: 1)
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 10_000)
        let reply = world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .adopt, targetNodeID: "node-2", reason: "it is it",
                    requestedBy: Principal(actor: "ada", person: "ada"))))
        guard case .awaitingApproval(let approval)? = reply else {
            Issue.record("nobody else is asked: \(String(describing: reply))")
            return
        }
        let bob = Principal(actor: "bob", person: "bob")
        world.step(.approval(.approve("demo", approval.approvalID, reason: "seen"), by: bob))
        #expect(world.state.primary == "node-2")
    }

    @Test func whoDoesNotRunAsPrimaryIsNotAdopted() {
        var world = TestWorld()
        world.settle()
        world.step(
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .adopt, targetNodeID: "node-2", reason: "a mistake",
                    requestedBy: "sre")))
        #expect(world.state.primary == "node-1")
        #expect(world.finishedRuns.map(\.state) == [.failed])
        #expect(touched(world).isEmpty)
    }

    /// Issue 13, 8: both lead with the same epoch, and node-2 and node-3 obey the other.
    @Test func nothingIsGrantedOrMovedWhileNodesObeyAnotherLeadership() {
        var world = TestWorld()
        world.settle()
        let epoch = world.orchestrator.state.epoch
        world.leaderships = [
            "node-1": (epoch, "test"), "node-2": (epoch, "copy"), "node-3": (epoch, "copy"),
        ]
        world.settle()
        guard case .report(let reply)? = world.heartbeat("node-1") else {
            Issue.record("not answered")
            return
        }
        #expect(reply.leaseMs == nil)
        #expect(reply.instanceID == "test")
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(touched(world).isEmpty)
        #expect(world.state.hold?.rule == .otherLeadership)
        #expect(world.state.hold?.evidence.contains("copy") == true)
    }

    /// A restored journal counts epochs anew that were used up: whoever obeyed them tells.
    @Test func aLaterLeadershipBarsAnEarlierOne() {
        var world = TestWorld()
        world.leaderships = ["node-2": (9, "later"), "node-3": (9, "later")]
        world.run(forMs: 10_000)
        guard case .report(let reply)? = world.heartbeat("node-1") else {
            Issue.record("not answered")
            return
        }
        #expect(reply.leaseMs == nil)
        #expect(world.state.hold?.rule == .otherLeadership)
    }

    @Test func aMajorityThatObeysThisLeadershipIsEnough() {
        var world = TestWorld()
        world.settle()
        let epoch = world.orchestrator.state.epoch
        world.leaderships = [
            "node-1": (epoch, "test"), "node-2": (epoch, "test"), "node-3": (epoch, "copy"),
        ]
        world.settle()
        guard case .report(let reply)? = world.heartbeat("node-1") else {
            Issue.record("not answered")
            return
        }
        #expect(reply.leaseMs == 3000)
        #expect(world.state.hold == nil)
    }

    /// Issue 13, 5: somebody starts the old primary while another may have become primary.
    @Test func whileANodeMayBePrimaryNobodyElseGetsALeaseOrIsBroughtBack() {
        var world = TestWorld()
        world.settle()
        world.commandFailures[.promote] = .inDoubt
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.state.inDoubt == "node-2")
        world.services["node-2"]?.agentIsUp = false
        world.services["node-1"]?.state = .running
        world.services["node-3"]?.streaming = false
        world.commands = []
        for _ in 0..<100 {
            world.nowMs += 200
            for node in ["node-1", "node-3"] as [NodeID] {
                guard case .report(let reply)? = world.heartbeat(node) else { continue }
                #expect(reply.leaseMs == nil, "\(node) gets a lease")
            }
        }
        #expect(touched(world).isEmpty)
        #expect(world.state.hold?.rule == .promotionInDoubt)
    }

    /// Issue 13, 2: an exit status, a kill, a cancelled job do not show that nothing was begun.
    @Test(arguments: [
        CommandResult.Outcome.failed, .timedOut, .inDoubt,
    ])
    func onlyARefusalShowsThatNoPromotionHappened(_ outcome: CommandResult.Outcome) {
        let secondary = ServiceReport(state: .running, role: .secondary)
        let result = CommandResult(
            key: "run-1/promote", outcome: outcome, detail: "", service: secondary)
        #expect(!OperationResult(result).showsNoPromotion)
        let refused = CommandResult(key: "run-1/promote", outcome: .refused)
        #expect(OperationResult(refused).showsNoPromotion)
    }

    /// So another is promoted only once the first is stopped.
    @Test func aFailedTargetIsStoppedBeforeAnotherIsPromoted() throws {
        var world = TestWorld()
        world.settle()
        world.failingPromotions = ["node-2"]
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        let orders = world.commands.map { "\($0.name.rawValue) \($0.nodeID)" }
        let fence = try #require(orders.firstIndex(of: "fence node-2"))
        let next = try #require(orders.firstIndex(of: "promote node-3"))
        #expect(fence < next)
        #expect(world.state.primary == "node-3")
        #expect(world.finishedRuns.map(\.state) == [.committed], "\(world.finishedRuns)")
        #expect(world.state.inDoubt == nil)
    }
}

extension ContradictionTests {
    /// Issue 13, 1 and 13: what it lacks may have granted any lease, to any node.
    @Test func aJournalThatMayLackEntriesWaitsForWhoeverMayBePrimary() throws {
        var world = TestWorld()
        world.settle()
        world.step(
            .journalRestored(
                JournalRestored(damage: "lost", backupSeq: 7, salvaged: 0, mayLackEntries: true)))
        try world.restart(keeping: world.journal.count)
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 30_000, silent: ["node-2"])
        #expect(world.commands.map(\.name).filter { $0 != .status }.isEmpty)
        #expect(world.state.hold?.rule == .anotherPrimary)
        // It is heard, as a secondary: nobody else can be primary.
        world.run(forMs: 5000)
        #expect(world.state.primary == "node-2")
        #expect(!world.state.mayBeBehind)
    }

    @Test func aLeaseOfAJournalThatMayLackEntriesIsTheLongestThereIs() throws {
        var world = TestWorld()
        world.settle()
        world.step(
            .journalRestored(
                JournalRestored(damage: "lost", backupSeq: 7, salvaged: 0, mayLackEntries: true)))
        try world.restart(keeping: world.journal.count)
        #expect(
            world.orchestrator.leaseEndMs("node-1", "demo")
                == world.nowMs + LeaseSettings.longestMs + world.policy.lease.marginMs)
    }
}
