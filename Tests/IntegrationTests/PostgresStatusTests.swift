import ContinuityCore
import ContinuityPostgres
import Foundation
import Testing

/// What the agent's `status` says of real servers in the moments in which PostgreSQL's own functions
/// say something else than what it is asked for.
@Suite(.serialized) struct PostgresStatusTests {
    /// Its disk has a write that was acknowledged, and it has not replayed it yet: the position of
    /// what it has replayed would be taken for all that it has.
    @Test func aStandbyThatReplaysWhatItReceivedEarlierHasNoPosition() async throws {
        try await Trio.run { trio in
            let (primary, standby) = (trio.nodes[0], trio.nodes[1])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT 1 AS v")
            try await trio.has(standby, "t")
            // So that its next start is consistent before the write that it is to hold back.
            try await trio.psql(primary, "CHECKPOINT")
            let checkpoint = try await position(primary)
            _ = try await eventually("it has replayed the checkpoint") {
                try await trio.psql(standby, "SELECT pg_last_wal_replay_lsn() - '0/0'")
                    == "\(checkpoint)" ? true : nil
            }
            try await trio.psql(standby, "CHECKPOINT")
            try await trio.psql(standby, "ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
            try await trio.psql(standby, "SELECT pg_reload_conf()")

            try await trio.psql(primary, "UPDATE t SET v = 2")
            let written = try await position(primary)
            _ = try await eventually("it has received the write") {
                try await status(standby)["position_bytes"]?.int == written ? true : nil
            }
            try await primary.processes.kill()
            try await standby.processes.kill()
            try await trio.start(standby)

            let replaying = try await status(standby)
            #expect(replaying["role"] == "secondary" && replaying["streaming"] == false)
            #expect(replaying["position_bytes"] == .null, "\(replaying)")
            let replayed = try await trio.psql(standby, "SELECT pg_last_wal_replay_lsn() - '0/0'")
            #expect(try #require(Int64(replayed)) < written)

            try await trio.psql(standby, "ALTER SYSTEM RESET recovery_min_apply_delay")
            try await trio.psql(standby, "SELECT pg_reload_conf()")
            _ = try await eventually("it knows what it has, with no primary") {
                try await status(standby)["position_bytes"]?.int == written ? true : nil
            }
            #expect(try await status(standby)["streaming"] == false)
        }
    }

    /// It asks the new primary again and again, is fed the end of the old timeline each time, and
    /// calls that streaming. Its history would be taken for the primary's.
    @Test func aStandbyThatIsAheadOfItsNewPrimaryNeverStreams() async throws {
        try await Trio.run { trio in
            let (old, new, ahead) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            _ = try await eventually("both stream") {
                for node in [new, ahead] where try await status(node)["streaming"] != true {
                    return nil as Bool?
                }
                return true
            }
            try await new.processes.kill()
            try await trio.psql(old, "CREATE TABLE more AS SELECT 1 AS v")
            try await trio.has(ahead, "more")
            try await old.processes.kill()
            try await trio.start(new)
            try await trio.psql(new, "SELECT pg_promote()")

            // Asked within one session, often enough to meet it in each of its moments.
            let plain = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"
            let round = [statusQuery(ahead), plain, "SELECT pg_sleep(0.002)"]
            let follow = ahead.followCommand(host: new.place.host, port: "\(new.port)")
            try await Program.mustRun(follow)
            var (claimed, reported, asked) = (0, 0, 0)
            for _ in 0..<4 {
                let rounds = (0..<250).flatMap { _ in round }.flatMap { ["-c", $0] }
                let output = try await Program.mustRun(ahead.psql() + rounds)
                let lines = output.split(separator: "\n")
                asked += lines.count { $0.hasPrefix("{") }
                reported += lines.count { $0.contains("\"streaming\" : true") }
                claimed += lines.count { $0 == "1" }
            }
            print(
                "asked \(asked) times: streaming by PostgreSQL's word \(claimed), by ours \(reported)"
            )
            #expect(asked == 1000 && reported == 0)

            // One that is not ahead is fed by the same primary.
            let rejoined = try await trio.rejoin(old, to: new)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            _ = try await eventually("it streams") {
                try await status(old)["streaming"] == true ? true : nil
            }
        }
    }

    private func statusQuery(_ node: PostgresNode) -> String { node.statusCommand.last ?? "" }

    private func status(_ node: PostgresNode) async throws -> JSONValue {
        let printed = try await Program.mustRun(node.statusCommand)
        return try JSONDecoder().decode(JSONValue.self, from: Data(printed.utf8))
    }

    private func position(_ primary: PostgresNode) async throws -> Int64 {
        try #require(try await status(primary)["position_bytes"]?.int)
    }
}
