import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// A rejoin that is killed while `pg_rewind` copies, on real servers.
@Suite(.serialized) struct PostgresRewindTests {
    @Test func whatAKilledRewindLeavesIsNeverStarted() async throws {
        try await Trio.run { trio in
            let (old, new) = (trio.nodes[0], trio.nodes[1])
            try await trio.partWays(killing: [])
            let before = try trio.mode(old)
            let rewind = try await trio.interruptRewind(of: old, from: new)
            try await trio.startsInNoWay(old)

            // The copying program outlived the one that started it, and may still write.
            let tooSoon = try await trio.rejoin(old, to: new)
            #expect(tooSoon.exitCode != 0 && tooSoon.errors.contains("still writes"))
            kill(rewind, SIGKILL)
            try trio.releaseSource(new)
            try await trio.startsInNoWay(old)

            let again = try await trio.rejoin(old, to: new)
            #expect(again.exitCode == 0, "\(again.errors)")
            #expect(again.errors.contains("interrupted, from this primary"), "\(again.errors)")
            try await trio.expectCopy(old, of: new)
            #expect(try trio.mode(old) == before)
            #expect(!FileManager.default.fileExists(atPath: old.dataDirectory + ".rewinding"))
        }
    }

    /// Pages of the first source that the second never had would stay, with sums that are right.
    @Test func aRewindFromAnotherPrimaryIsNotContinued() async throws {
        try await Trio.run { trio in
            let (old, first, second) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await trio.partWays(killing: [second])
            kill(try await trio.interruptRewind(of: old, from: first), SIGKILL)
            try trio.releaseSource(first)
            try await first.processes.kill()
            try await trio.start(second)
            try await trio.psql(second, "SELECT pg_promote()")

            let rejoined = try await trio.rejoin(old, to: second)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined.output)")
            try await trio.expectCopy(old, of: second)
            // The next one has nothing to do with it any more.
            try await old.processes.kill()
            let restarted = try await trio.restart(old)
            #expect(restarted.exitCode == 0, "\(restarted.errors)")
            #expect(try await trio.psql(old, "SELECT pg_is_in_recovery()") == "t")
        }
    }

    /// It has taken from the old primary what the new one never had.
    @Test func aStandbyThatIsAheadIsRewound() async throws {
        try await Trio.run { trio in
            let (old, new, ahead) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await trio.psql(old, "CREATE TABLE t AS SELECT 1 AS v")
            try await trio.has(new, "t")
            try await new.processes.kill()
            try await trio.psql(old, "UPDATE t SET v = 2")
            try await trio.psql(old, "CREATE TABLE more AS SELECT 1 AS v")
            try await trio.has(ahead, "more")
            try await ahead.processes.kill()
            try await old.processes.kill()
            try await trio.start(new)
            try await trio.psql(new, "SELECT pg_promote()")
            try await trio.psql(new, "UPDATE t SET v = 3")

            let rejoined = try await trio.rejoin(ahead, to: new)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by rewind"), "\(rejoined)")
            try await trio.expectCopy(ahead, of: new)
            #expect(try await trio.psql(ahead, "SELECT to_regclass('more')") == "")
        }
    }

    /// Killed before the first byte was copied: what made it a standby is gone already.
    @Test func aStandbyThatWasAboutToBeRewoundComesBackAsAStandby() async throws {
        try await Trio.run { trio in
            let (primary, standby) = (trio.nodes[0], trio.nodes[1])
            try await standby.processes.kill()
            unlink(standby.dataDirectory + "/standby.signal")
            var status = stat()
            try #require(stat(standby.dataDirectory, &status) == 0)
            let mark = standby.dataDirectory + ".rewinding"
            try "\(status.st_dev):\(status.st_ino)\nsomebody\n".write(
                toFile: mark, atomically: true, encoding: .utf8)

            let refused = try await trio.restart(standby)
            #expect(refused.exitCode != 0 && refused.errors.contains("order a rejoin"))
            #expect(standby.processes.living().isEmpty)
            let rejoined = try await trio.rejoin(standby, to: primary)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            // Recovered on its own it would have a checkpoint that the primary does not have.
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined.output)")
            try await trio.expectCopy(standby, of: primary)

            // Of a directory that is there no more.
            try await standby.processes.kill()
            try "1:1\nsomebody\n".write(toFile: mark, atomically: true, encoding: .utf8)
            let restarted = try await trio.restart(standby)
            #expect(restarted.exitCode == 0, "\(restarted.errors)")
            #expect(!FileManager.default.fileExists(atPath: mark))
        }
    }
}
