import ContinuityCore
import Foundation
import Testing

@Suite struct DetectionTests {
    @Test func aClusterThatReportsBecomesHealthy() {
        var world = TestWorld()
        world.settle()
        #expect(world.state.health == .healthy)
        #expect(world.state.statuses.values.allSatisfy { $0 == .healthy })
        #expect(world.state.hold == nil)
        #expect(world.journal.count < 10, "quiet operation must not fill the journal")
        let before = world.journal.count
        world.run(forMs: 60_000)
        #expect(world.journal.count == before)
    }

    @Test func aDeadServiceOnALivingHostIsActedOnAtTheReport() {
        var world = TestWorld()
        world.settle()
        let before = world.nowMs
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.nowMs == before)
        #expect(world.state.primary == "node-2")
    }

    @Test func silenceAloneFailsNobodyThatPeersStillReach() {
        var world = TestWorld()
        world.settle()
        world.run(forMs: 20_000, silent: ["node-1"])
        #expect(world.state.primary == "node-1")
        #expect(world.state.status(of: "node-1") == .unknown)
        #expect(world.holds.contains(.peersReachPrimary))
        #expect(world.finishedRuns.isEmpty)
        // Heard again: the hold ends, and nothing else has happened.
        world.settle()
        #expect(world.state.hold == nil)
        #expect(world.state.health == .healthy)
    }

    @Test func anAgentThatDiedAloneDoesNotMoveItsLivingService() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-1")
        #expect(world.holds == [.peersReachPrimary])
    }

    @Test func whatOutlivedItsLeaseIsNotGivenUpWhenItStopsAnswering() {
        var world = TestWorld()
        world.settle()
        // Agent and guard are dead, the service takes writes for long after its lease.
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 20_000)
        // Now it is only too slow for its peers: nobody has fenced it.
        let slow: [NodeID: PeerView] = ["node-1": .unreachable]
        for _ in 0..<80 {
            world.nowMs += 250
            world.heartbeat("node-2", views: slow)
            world.heartbeat("node-3", views: slow)
            world.step(.tick)
        }
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .peersReachPrimary)
        #expect(world.state.hold?.evidence.contains("nothing fences it") == true)
        #expect(world.finishedRuns.isEmpty)
        // Its agent is back and then lost with the whole machine: that is another matter.
        world.services["node-1"]?.agentIsUp = true
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
    }

    @Test func onlyABrokenGlassGivesUpWhatOutlivedItsLease() throws {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.run(forMs: 20_000)
        #expect(world.holds == [.peersReachPrimary])
        func request(isBreakGlass: Bool) -> Input {
            .request(
                OperatorRequest(
                    clusterID: "demo", kind: .failover, targetNodeID: nil,
                    reason: "its machine is off",
                    requestedBy: Principal(actor: "ada", person: "ada", isAdmin: true),
                    isBreakGlass: isBreakGlass))
        }
        guard case .refused(let refusal)? = world.step(request(isBreakGlass: false)) else {
            Issue.record("who orders a failover does not know whether it is stopped")
            return
        }
        #expect(refusal.rule == .peersReachPrimary)
        #expect(refusal.evidence.contains("--break-glass"))
        guard case .awaitingApproval(let approval)? = world.step(request(isBreakGlass: true))
        else {
            Issue.record("the glass cannot be broken")
            return
        }
        let carl = Principal(actor: "carl", person: "carl", isAdmin: true)
        world.step(.approval(.approve("demo", approval.approvalID, reason: "seen"), by: carl))
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-2")
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func agentsLearnWhatToAskTheServiceOfAPeer() {
        var world = TestWorld()
        world.settle()
        guard case .report(let reply) = world.heartbeat("node-2") else {
            Issue.record("no answer to a report")
            return
        }
        #expect(reply.peers.map(\.probe) == [.tcp, .tcp])
        // An older journal, or a newer orchestrator, changes nothing for the worse.
        let known = #"{"agent_url":"u","node_id":"n","service_address":"a:1","#
        for (text, probe) in [
            (known + #""service_probe":"postgresql"}"#, ServiceProbe.postgresql),
            (known + #""service_probe":"telepathy"}"#, .tcp),
        ] {
            let peer = try? JSONDecoder().decode(PeerAddress.self, from: Data(text.utf8))
            #expect(peer?.probe == probe)
        }
    }

    @Test func withoutQuorumNothingMoves() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.services["node-1"]?.agentIsUp = false
        world.services["node-3"]?.agentIsUp = false
        world.services["node-3"]?.state = .stopped
        world.run(forMs: 20_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.health == .critical)
        #expect(world.state.hold?.rule == .noQuorum)
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func aSecondaryThatLosesItsNetworkDoesNotMoveTheHealthyPrimary() {
        var world = TestWorld()
        world.settle()
        world.services["node-3"]?.agentIsUp = false
        for _ in 0..<20 {
            world.nowMs += 500
            world.heartbeat("node-1")
            world.heartbeat("node-2", views: ["node-1": .unreachable])
            world.step(.tick)
        }
        #expect(world.state.primary == "node-1")
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func anObserverThatStalledDistrustsItselfFirst() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.agentIsUp = false
        world.services["node-1"]?.state = .stopped
        world.nowMs += 10_000
        world.step(.tick)
        #expect(world.state.status(of: "node-1") == .healthy, "the windows have begun anew")
        world.run(forMs: 6_000)
        #expect(world.state.primary == "node-2")
    }

    @Test func aLateReportOfTheSameBootIsIgnored() {
        var world = TestWorld()
        world.settle()
        let stale = NodeReport(
            clusterID: "demo", nodeID: "node-1", bootID: "boot", sequence: 1, highestEpoch: 0,
            service: ServiceReport(state: .stopped, role: .unknown), peers: [:])
        world.step(.report(stale))
        #expect(world.state.primary == "node-1")
        #expect(world.finishedRuns.isEmpty)
    }

    @Test func aFailingProbeDegradesAtOnceAndFailsAfterTheThreshold() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .failing
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-1") == .degraded)
        world.run(forMs: 2_000)
        #expect(world.state.primary == "node-1")
        world.run(forMs: 3_000)
        #expect(world.state.primary == "node-2")
        #expect(world.fenceProofs.map(\.proof) == [.receipt])
    }

    @Test func recoveryTakesAsManyGoodReportsAsThePolicySays() {
        var policy = samplePolicy()
        policy.detection = DetectionSettings(
            intervalMs: 1000, failureThreshold: 3, recoveryThreshold: 3)
        var world = TestWorld(policy: policy)
        world.settle()
        world.services["node-3"]?.state = .stopped
        world.holdsEffects = true
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-3") == .failed)
        world.services["node-3"]?.state = .running
        world.run(forMs: 2_000)
        #expect(world.state.status(of: "node-3") == .failed)
        world.run(forMs: 1_000)
        #expect(world.state.status(of: "node-3") == .healthy)
    }

    @Test func aPrimaryThatWasNeverSeenIsNotFailedOver() {
        var world = TestWorld()
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.primary == "node-1")
        #expect(world.state.hold?.rule == .neverHealthy)
    }
}
