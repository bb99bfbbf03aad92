import ContinuityCore
import Testing

@Suite struct SuspensionTests {
    private let wish = SuspensionWish(owner: "ada", reason: "works", durationS: 60)

    private func settled() -> TestWorld {
        var policy = samplePolicy()
        policy.cooldownS = 0
        var world = TestWorld(policy: policy)
        world.settle()
        return world
    }

    private func problem(_ reply: Reply?) -> String? {
        if case .problem(let problem) = reply { problem.type } else { nil }
    }

    @Test func everyPauseHasAnOwnerAReasonAndAnEnd() {
        var world = settled()
        for (wish, type) in [
            (SuspensionWish(owner: "", reason: "r", durationS: 60), "bad-owner"),
            (SuspensionWish(owner: "o", reason: "", durationS: 60), "bad-reason"),
            (SuspensionWish(owner: "o", reason: "r", durationS: 0), "bad-duration"),
            (SuspensionWish(owner: "o", reason: "r", durationS: 604_801), "bad-duration"),
        ] {
            #expect(problem(world.step(.order(.pause("demo", wish), by: "ada"))) == type)
        }
        #expect(problem(world.step(.order(.pause("x", wish), by: "ada"))) == "no-such-cluster")
        #expect(
            problem(world.step(.order(.beginMaintenance("demo", "x", wish), by: "ada")))
                == "no-such-node")
        #expect(
            problem(world.step(.order(.resume("demo", reason: "r"), by: "ada"))) == "not-paused")
        #expect(
            problem(world.step(.order(.endMaintenance("demo", "node-2", reason: "r"), by: "ada")))
                == "not-in-maintenance")
        #expect(world.state.pause == nil)
    }

    @Test func leasesAreRenewedWhilePaused() {
        var world = settled()
        world.step(.order(.pause("demo", wish), by: "ada"))
        for _ in 0..<60 {
            world.nowMs += 1000
            guard case .report(let reply) = world.heartbeat("node-1") else {
                Issue.record("no answer")
                return
            }
            #expect(reply.leaseMs == world.policy.lease.durationMs)
        }
        #expect(world.commands.isEmpty)
    }

    @Test func aPauseHoldsOnceAndSurvivesARestart() throws {
        var world = settled()
        world.step(.order(.pause("demo", wish), by: "ada"))
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.holds == [.paused])
        #expect(world.state.hold?.earliestAtMs == world.state.pause?.untilMs)
        #expect(world.alerts("continuity.hold.set").count == 1)
        try world.restart(keeping: world.journal.count)
        #expect(world.state.pause?.owner == "ada")
        world.run(forMs: 60_000)
        #expect(world.state.pause == nil)
        let ends = world.bodies { if case .pauseEnded(let body) = $0 { body.end } else { nil } }
        #expect(ends == [.expired])
        #expect(world.state.primary == "node-2")
    }

    @Test func whoPausedMeantEverybody() {
        var world = settled()
        world.step(.order(.pause("demo", wish), by: "ada"))
        let request = Input.request(
            OperatorRequest(
                clusterID: "demo", kind: .switchover, targetNodeID: nil, reason: "",
                requestedBy: "bob"))
        guard case .refused(let refusal) = world.step(request) else {
            Issue.record("it is not refused")
            return
        }
        #expect(refusal.rule == .paused)
        world.step(.order(.resume("demo", reason: "done"), by: "ada"))
        guard case .accepted = world.step(request) else {
            Issue.record("it is refused")
            return
        }
    }

    @Test func aNodeInMaintenanceIsNoTargetAndDiesInSilence() {
        var world = settled()
        world.step(.order(.beginMaintenance("demo", "node-2", wish), by: "ada"))
        world.services["node-2"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.state.health == .healthy)
        #expect(world.commands.isEmpty, "nobody brings it back")
        #expect(world.delivered.isEmpty)
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.state.primary == "node-3")
        // When its time is over, it is brought back.
        world.run(forMs: 60_000)
        #expect(world.state.nodeMaintenance.isEmpty)
        #expect(world.commands.contains { $0.name == .rejoin && $0.nodeID == "node-2" })
        #expect(world.state.health == .healthy)
    }

    @Test func aStalePrimaryIsFencedInMaintenanceToo() {
        var world = settled()
        world.step(.order(.beginMaintenance("demo", "node-2", wish), by: "ada"))
        world.services["node-2"]?.role = .primary
        world.settle()
        #expect(world.commands.contains { $0.name == .fence && $0.nodeID == "node-2" })
    }

    @Test func aPrimaryInMaintenanceIsNotReplacedAndNobodyIsWoken() {
        var world = settled()
        world.step(.order(.beginMaintenance("demo", "node-1", wish), by: "ada"))
        world.services["node-1"]?.state = .stopped
        world.run(forMs: 10_000)
        #expect(world.holds == [.maintenance])
        #expect(world.delivered.isEmpty)
        #expect(world.state.health == .degraded)
        world.step(.order(.endMaintenance("demo", "node-1", reason: "done"), by: "ada"))
        #expect(world.state.primary == "node-2")
    }
}
