import ContinuityCore
import Testing

/// Issue 15, 9 and 25: what a running service says of itself reaches people.
@Suite struct RemarkTests {
    private let full = "the volume of /data is full: 3 MB are free"

    @Test func aRemarkThatLastsIsToldOnceAndItsEndToo() {
        var world = TestWorld()
        world.settle()
        world.services["node-1"]?.detail = full
        world.run(forMs: 1000)
        #expect(world.alerts("continuity.node.remark").isEmpty, "it must last")
        world.run(forMs: 5000)
        #expect(world.alerts("continuity.node.remark").map(\.subject) == ["node-1"])
        #expect(world.alerts("continuity.node.remark").first?.summary.contains(full) == true)
        for count in 0..<50 {
            world.services["node-1"]?.detail = "another text \(count)"
            world.run(forMs: 1000)
        }
        #expect(world.alerts("continuity.node.remark").count == 1, "a text that changes is no news")
        world.services["node-1"]?.detail = ""
        world.run(forMs: 10_000)
        #expect(world.alerts("continuity.node.remark_ended").count == 1)
        for _ in 0..<20 {
            world.services["node-1"]?.detail = full
            world.run(forMs: 10_000)
            world.services["node-1"]?.detail = ""
            world.run(forMs: 10_000)
        }
        #expect(world.alerts("continuity.node.remark").count <= 2, "once in ten minutes")
        #expect(world.state.statuses["node-1"] == .healthy)
    }

    /// Issue 15, 25: receivers drop what they have seen by its id, and two journals that tell of
    /// the same run must not share it.
    @Test func anotherJournalGivesOtherAlertIDs() {
        func ids(_ startMs: Int64) -> Set<AlertID> {
            var world = TestWorld(startMs: startMs)
            world.settle()
            world.services["node-1"]?.state = .stopped
            world.run(forMs: 15_000)
            #expect(!world.alerts("continuity.run.committed").isEmpty)
            return Set(
                world.journal.compactMap { entry in
                    guard case .alertQueued(let body)? = try? JournalBody(of: entry) else {
                        return nil
                    }
                    return body.alert.alertID
                })
        }
        #expect(ids(1_000_000) == ids(1_000_000), "the same journal gives the same")
        #expect(ids(1_000_000).isDisjoint(with: ids(2_000_000)))
    }
}
