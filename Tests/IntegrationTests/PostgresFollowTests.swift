import ContinuityPostgres
import Foundation
import Testing

/// `continuity postgres follow` compares histories, and a rejoin asks before it loses any, on real
/// servers.
@Suite(.serialized) struct PostgresFollowTests {
    private func follow(
        _ trio: Trio, _ node: PostgresNode, _ primary: PostgresNode
    ) async throws -> Programs.Result {
        let command = try #require(
            node.agentCommands(executable: Programs.continuity).first { $0.name == "follow" })
        return try await Programs.run(
            command.argv.dropFirst().map {
                $0.replacing("{primary_host}", with: primary.place.host)
                    .replacing("{primary_port}", with: "\(primary.port)")
            })
    }

    /// Issue 15, 13: the same timeline, another history. It was healthy, even "ahead", and chosen.
    @Test func aRunningForkOfTheSameTimelineIsFoundByItsContent() async throws {
        try await Trio.run { trio in
            let (primary, good, fork) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT 1 AS id")
            for node in [good, fork] { try await trio.has(node, "t") }
            // It comes up as a primary of its own, writes, and is made a standby again, which
            // nobody feeds.
            try await trio.stop(fork)
            let signal = fork.dataDirectory + "/standby.signal"
            try FileManager.default.removeItem(atPath: signal)
            try await trio.startByHand(fork)
            try await trio.psql(fork, "INSERT INTO t VALUES (2)")
            try await trio.stop(fork)
            try fork.installation.write("", to: signal, mode: 0o600)
            try trio.configure(fork, "primary_conninfo = 'host=127.0.0.1 port=1'")
            let automatic = fork.dataDirectory + "/postgresql.auto.conf"
            try fork.installation.write("", to: automatic, mode: 0o600)
            // The primary is further than the fork: positions tell nothing.
            try await trio.psql(
                primary, "CREATE TABLE more AS SELECT g FROM generate_series(1, 50000) g")
            try await trio.startByHand(fork)
            try #require(try await trio.psql(fork, "SELECT count(*) FROM t") == "2")

            let found = try await follow(trio, fork, primary)
            #expect(found.exitCode == 6, "\(found.errors)")
            #expect(found.errors.contains("is not the primary's"), "\(found.errors)")
            // It listens to the primary all the same: turning away from an earlier one is safe.
            let conninfo = try await trio.psql(
                fork,
                "SELECT setting FROM pg_file_settings WHERE name = 'primary_conninfo' "
                    + "ORDER BY seqno DESC LIMIT 1")
            #expect(conninfo.contains("\(primary.port)"), "\(conninfo)")
            let well = try await follow(trio, good, primary)
            #expect(well.exitCode == 0, "\(well.errors)")
        }
    }

    /// One that is ahead of the node that was promoted, and one that is not.
    @Test func whoIsAheadOfANewPrimaryIsToldApartFromWhoIsNot() async throws {
        try await Trio.run { trio in
            let (old, new, ahead) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await trio.psql(old, "CREATE TABLE t AS SELECT 1 AS id")
            for node in [new, ahead] { try await trio.has(node, "t") }
            try await new.processes.kill()
            try await trio.psql(old, "INSERT INTO t VALUES (2)")
            _ = try await eventually("the third has it") {
                try await trio.psql(ahead, "SELECT count(*) FROM t") == "2" ? true : nil
            }
            try await old.processes.kill()
            try await trio.start(new)
            // Before the promotion nothing is compared: it is no primary yet.
            #expect(try await follow(trio, ahead, new).exitCode == 0)
            try await trio.psql(new, "SELECT pg_promote()")
            try await trio.psql(
                new, "CREATE TABLE more AS SELECT g FROM generate_series(1, 50000) g")
            let found = try await follow(trio, ahead, new)
            #expect(found.exitCode == 6, "\(found.errors)")

            // A primary that does not answer proves nothing.
            try await new.processes.kill()
            let silent = try await follow(trio, ahead, new)
            #expect(silent.exitCode == 0, "\(silent.errors)")
        }
    }

    /// Issue 15, 6: what a rewind takes back may have been acknowledged.
    @Test func aRewindAsksWherePolicySaysSoAndKeepsWhatItTakesBack() async throws {
        try await Trio.run { trio in
            let (old, new) = (trio.nodes[0], trio.nodes[1])
            try await trio.partWays(killing: [])
            let identity = try trio.identity(old.dataDirectory)
            let arguments = trio.rejoinArguments(old, to: new, with: [:])
            func rejoin(_ policy: String) async throws -> Programs.Result {
                try await Programs.run(
                    program: "/usr/bin/env",
                    ["CONTINUITY_REJOIN=\(policy)", Programs.continuity] + arguments)
            }
            let asked = try await rejoin("ask")
            #expect(asked.exitCode != 0)
            #expect(asked.errors.contains("left to a person"), "\(asked.errors)")
            #expect(try trio.identity(old.dataDirectory) == identity)
            let kept = old.dataDirectory + ".diverged"
            #expect(!FileManager.default.fileExists(atPath: kept), "nothing was touched")

            let done = try await rejoin("keep")
            #expect(done.exitCode == 0, "\(done.errors)")
            #expect(done.output.contains("rejoined by rewind"), "\(done.output)")
            #expect(done.errors.contains(kept), "\(done.errors)")
            try await trio.expectCopy(old, of: new)
            let first = try #require(
                try FileManager.default.contentsOfDirectory(atPath: kept).sorted().first)
            let dump = try await Programs.run(
                program: "\(old.installation.binDirectory)/pg_waldump", ["\(kept)/\(first)"])
            #expect(dump.output.contains("HOT_UPDATE") || dump.output.contains("UPDATE"))
            let wrong = try await rejoin("perhaps")
            #expect(wrong.exitCode != 0 && wrong.errors.contains("ask, keep or discard"))
        }
    }
}
