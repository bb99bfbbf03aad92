import ContinuityCore
import Testing

/// A rejoin takes as long as the data is: no time of the orchestrator's ends it.
@Suite struct LongWorkTests {
    private func world() throws -> (TestWorld, OperationKey) {
        var world = TestWorld(policy: samplePolicy())
        world.settle()
        world.services["node-3"]?.state = .stopped
        world.commandFailures[.rejoin] = .timedOut
        world.heartbeat("node-3")
        let key = try #require(world.commands.last { $0.name == .rejoin }?.key)
        return (world, key)
    }

    private func finished(_ world: TestWorld, _ key: OperationKey) -> [OperationResult.Outcome] {
        world.bodies {
            if case .operationFinished(let body) = $0, body.operation == key {
                body.result.outcome
            } else {
                nil
            }
        }
    }

    /// As the agent says that it is at it, and moves.
    private func work(_ world: inout TestWorld, _ key: OperationKey, runningMs: Int64) {
        world.work["node-3"] = NodeWork(
            key: key, command: "rejoin", runningMs: runningMs, stillMs: 200)
    }

    private func started() throws -> (TestWorld, OperationKey) {
        var world = TestWorld(policy: samplePolicy())
        world.settle()
        world.services["node-3"]?.state = .stopped
        world.holdsEffects = true
        world.heartbeat("node-3")
        let key = try #require(world.state.upkeep.keys.first)
        #expect(key.rawValue.hasSuffix("/rejoin"))
        work(&world, key, runningMs: 0)
        world.heartbeat("node-3")
        world.commandFailures[.rejoin] = .timedOut
        world.holdsEffects = false
        world.releaseHeldEffects()
        return (world, key)
    }

    @Test func aRejoinOfThreeHoursIsOneOrderAndNoFailure() throws {
        var (world, key) = try started()
        for minute in 1...180 {
            work(&world, key, runningMs: Int64(minute) * 60_000)
            world.run(forMs: 60_000)
        }
        #expect(finished(world, key).isEmpty, "it goes on")
        #expect(world.state.upkeep[key] != nil)
        #expect(world.alerts("continuity.node.upkeep_failing").isEmpty)
        let rejoins = world.commands.filter { $0.name == .rejoin }
        #expect(Set(rejoins.map(\.key)) == [key], "every asking is for the same order")
        let asked = rejoins.count
        #expect(asked > 100, "it was asked for again")
        let status = world.orchestrator.statusReport(at: world.now).clusters.first?.nodes
        #expect(status?.first { $0.nodeID == "node-3" }?.work?.runningMs == 10_800_000)
        // It ends: the next asking hears what came of it.
        world.commandFailures[.rejoin] = nil
        world.work["node-3"] = nil
        world.run(forMs: 10_000)
        #expect(finished(world, key) == [.ok])
        #expect(world.services["node-3"]?.state == .running)
        var state = OrchestratorState()
        for entry in world.journal { try state.replay(entry) }
        #expect(state == world.orchestrator.state)
    }

    /// An older agent, or one that has ended it: as ever.
    @Test func whatNobodyIsAtHasFailed() throws {
        let (world, key) = try world()
        #expect(finished(world, key) == [.timedOut])
    }

    /// The agent ends what stands still: from then on its report does not name it.
    @Test func whatStoppedMovingFails() throws {
        var (world, key) = try started()
        world.run(forMs: 60_000)
        #expect(finished(world, key).isEmpty)
        world.work["node-3"] = nil
        world.run(forMs: 10_000)
        #expect(finished(world, key) == [.timedOut])
    }

    /// A new order would end the one under way halfway, and begin again from nothing.
    @Test func nobodyIsToldToRejoinWhileItDoes() throws {
        var (world, key) = try started()
        // Its answer is lost while the node is not heard.
        world.run(forMs: 30_000, silent: ["node-3"])
        #expect(finished(world, key) == [.timedOut])
        world.run(forMs: 1_200_000)
        #expect(Set(world.commands.filter { $0.name == .rejoin }.map(\.key)) == [key])
        // After a restart of serve likewise.
        try world.restart(keeping: world.journal.count)
        world.run(forMs: 600_000)
        #expect(Set(world.commands.filter { $0.name == .rejoin }.map(\.key)) == [key])
    }
}
