import ContinuityCore
import Testing

/// A move is not over before it was looked whether somebody follows the new primary.
@Suite struct FollowerTests {
    private func crashed(
        _ settings: (inout TestWorld) -> Void = { _ in }, policy: FailoverPolicy = samplePolicy()
    ) -> TestWorld {
        var world = TestWorld(policy: policy)
        world.settle()
        settings(&world)
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func committed(_ world: TestWorld) -> Alert? {
        world.alerts("continuity.run.committed").first
    }

    @Test func nobodyFollowsWithinTheTimeSoThatIsTold() {
        var world = crashed { $0.neverStreaming = ["node-1", "node-3"] }
        #expect(world.state.primary == "node-2", "clients write already")
        #expect(world.finishedRuns.isEmpty)
        world.run(forMs: 4_500)
        #expect(world.finishedRuns.isEmpty)
        world.run(forMs: 1_000)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(
            world.state.lastRun?.deductions?.contains(
                "-10 freshness: no secondary takes changes from node-2") == true)
        #expect(committed(world)?.severity == .warning)
        #expect(
            committed(world)?.summary.contains("no secondary takes changes from node-2") == true)
        let readings = world.commands.count { $0.name == .status }
        #expect(readings < 200, "\(readings): the wait is not spent on looking")

        world.run(forMs: 8_000)
        let told = world.alerts("continuity.cluster.unfollowed")
        #expect(told.count == 1 && told.first?.severity == .warning)
        #expect(world.state.health == .degraded)
        world.neverStreaming = []
        world.services["node-3"]?.streaming = true
        world.run(forMs: 60_000)
        #expect(world.alerts("continuity.cluster.followed").count == 1)
        #expect(world.alerts("continuity.cluster.unfollowed").count == 1)
        #expect(world.state.health == .healthy)
    }

    @Test func oneThatComesLateIsWaitedFor() {
        var world = crashed { $0.neverStreaming = ["node-1", "node-3"] }
        world.run(forMs: 2_000)
        #expect(world.finishedRuns.isEmpty)
        world.services["node-3"]?.streaming = true
        world.run(forMs: 1_000)
        #expect(world.finishedRuns.map(\.state) == [.committed])
        #expect(
            world.state.lastRun?.deductions?.contains { $0.contains("freshness") } == false)
        #expect(committed(world)?.severity == .info)
    }

    @Test func itIsNotWaitedForBesideALostPrimary() {
        var world = crashed { $0.neverStreaming = ["node-1", "node-3"] }
        world.run(forMs: 1_000)
        world.services["node-2"]?.state = .stopped
        world.heartbeat("node-2")
        #expect(world.finishedRuns.map(\.state) == [.failed], "the next run can begin")
    }

    @Test func whereNobodyCouldFollowNobodyIsWaitedFor() {
        var cluster = sampleCluster()
        cluster.nodes[2].role = .witness
        var world = TestWorld(cluster: cluster)
        world.settle()
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        #expect(world.finishedRuns.map(\.state) == [.committed])
        world.run(forMs: 20_000)
        #expect(world.alerts("continuity.cluster.unfollowed").isEmpty)
    }

    @Test func theDeadlineOfTheRunIsKept() {
        var policy = samplePolicy()
        policy.maxFailoverTimeS = 5
        var world = crashed({ $0.neverStreaming = ["node-1", "node-3"] }, policy: policy)
        world.run(forMs: 2_500)
        #expect(world.finishedRuns.map(\.state) == [.committed])
    }

    @Test func withoutLossAllowedItIsSaidThatNothingIsSynchronous() {
        let cluster = sampleCluster()
        var policy = samplePolicy()
        policy.rpoS = 0
        func verify(streaming: Bool, synchronous: Bool?) -> [String] {
            Verification.verify(
                VerificationInput(
                    cluster: cluster, policy: policy, expectedPrimary: "node-2",
                    readings: [
                        "node-2": ServiceReport(
                            state: .running, role: .primary, isSynchronous: synchronous),
                        "node-3": ServiceReport(
                            state: .running, role: .secondary, streaming: streaming),
                    ], failedOperations: [])
            ).deductions.map(\.text)
        }
        let alone = verify(streaming: false, synchronous: nil)
        #expect(alone.contains { $0.hasPrefix("-15 policy: rpo_s is 0, and the cluster is not") })
        let early = verify(streaming: true, synchronous: false)
        #expect(early.contains { $0.hasPrefix("-5 warning: rpo_s is 0, and node-2 acknowledges") })
        #expect(!verify(streaming: true, synchronous: true).contains { $0.contains("rpo_s") })
    }
}

/// What need not wait for each other does not, and the fence still comes first.
@Suite struct EarlyReadingTests {
    private func crashed(rpoS: Int64 = 5) -> TestWorld {
        var policy = samplePolicy()
        policy.rpoS = rpoS
        var world = TestWorld(policy: policy)
        world.settle()
        world.holdsEffects = true
        world.services["node-1"]?.state = .stopped
        world.heartbeat("node-1")
        return world
    }

    private func names(_ world: TestWorld) -> [String] {
        world.heldEffects.compactMap {
            guard case .command(let command, _) = $0 else { return nil }
            return "\(command.name.rawValue) \(command.nodeID)"
        }
    }

    @Test func positionsAreReadBesideTheFenceOfAStoppedNode() {
        var world = crashed()
        #expect(names(world) == ["fence node-1", "status node-2", "status node-3"])
        // However quickly positions are told, the fence is waited for.
        let fences = world.heldEffects.filter {
            if case .command(let command, _) = $0 { command.name == .fence } else { false }
        }
        world.heldEffects.removeAll {
            if case .command(let command, _) = $0 { command.name == .fence } else { false }
        }
        world.releaseHeldEffects()
        #expect(world.state.run?.fenceProof == nil && world.state.primary == "node-1")
        world.heldEffects = fences
        world.releaseHeldEffects()
        #expect(world.state.primary == "node-2")
        let upToPromotion = world.commands.prefix { $0.name != .promote }
        #expect(upToPromotion.count { $0.name == .status } == 2, "nothing is read twice")
    }

    /// One that came up and died again between the two may have acknowledged a write.
    @Test func whereNothingMayBeLostTheyAreReadOnceTheFenceIsProven() {
        var world = crashed(rpoS: 0)
        #expect(names(world) == ["fence node-1"])
        world.releaseHeldEffects()
        #expect(world.state.primary == "node-2")
    }

    /// Its fence found something alive: what was read before may be out of date.
    @Test func theyAreReadAgainWhereTheFenceHadToStopSomething() {
        var world = crashed()
        world.services["node-1"]?.state = .running
        world.releaseHeldEffects()
        #expect(world.state.primary == "node-2")
        let upToPromotion = world.commands.prefix { $0.name != .promote }.map(\.key.rawValue)
        #expect(upToPromotion.count { $0.contains("/promote/status/") } == 2)
    }

    @Test func besideAServiceThatHangsNothingIsReadEarly() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.state = .failing
        world.holdsEffects = true
        world.run(forMs: 5_000)
        #expect(names(world).filter { !$0.hasPrefix("status") } == ["fence node-1"])
        #expect(!names(world).contains("status node-2"))
    }
}
