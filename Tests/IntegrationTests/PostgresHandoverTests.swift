import ContinuityCore
import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// Real servers whose shutdown does not end.
@Suite(.serialized) struct PostgresHandoverTests {
    private static func policy(_ settings: String) -> String {
        """
        policy_id: p
        strategy: manual
        approvals: {failover: 0}
        cooldown_s: 0
        switchover: {demote_timeout_ms: 3000\(settings)}
        """
    }

    private static let hangingArchiver = "archive_mode = on\narchive_command = 'sleep 1000'"

    private func write(_ node: PostgresNode, _ table: String) async throws {
        _ = try await Program.mustRun(node.psql("CREATE TABLE \(table) (v int)"))
    }

    @Test func whatWouldKeepItFromStoppingEndsTheMoveBeforeItBegins() async throws {
        try await PostgresFixture.run(
            policy: Self.policy(""), packs: [], settings: Self.hangingArchiver
        ) { fixture in
            let sessions = try await fixture.facts()[0].split(separator: "|")[1]
            let end = try await fixture.move("switchover")
            #expect(end["state"]?.string == "failed")
            let reason = end["reason"]?.string ?? ""
            #expect(reason.hasPrefix("node-1 would not stop in time: "), "\(reason)")
            #expect(reason.contains("archive_command does not end"), "\(reason)")
            #expect(try await fixture.facts()[0].split(separator: "|")[1] == sessions)
            try await write(fixture.postgres.nodes[0], "after")
        }
    }

    @Test func aServerThatDoesNotStopServesAgainAndAcceptsWrites() async throws {
        try await PostgresFixture.run(
            policy: Self.policy(", on_hindrance: continue"), packs: [],
            settings: Self.hangingArchiver
        ) { fixture in
            let primary = fixture.postgres.nodes[0]
            try await write(primary, "before")
            let end = try await fixture.move("switchover")
            #expect(end["state"]?.string == "rolled_back", "\(end)")
            #expect(
                end["reason"]?.string?.hasPrefix("node-1 did not hand over: ") == true, "\(end)")
            // At once: its return was seen, not assumed.
            try await write(primary, "after")
            try await fixture.healthy()
            #expect(try await fixture.entries("primary_changed").isEmpty)
            let kept = try await Program.mustRun(primary.psql("SELECT count(*) FROM before"))
            #expect(kept == "0\n")
        }
    }

    @Test func theMoveGoesOnByForceWhereThePolicySaysSo() async throws {
        try await PostgresFixture.run(
            policy: Self.policy(", on_hindrance: continue, on_demote_timeout: fence"), packs: [],
            settings: Self.hangingArchiver
        ) { fixture in
            try await write(fixture.postgres.nodes[0], "before")
            let end = try await fixture.move("switchover", to: "node-2")
            #expect(end["state"]?.string == "committed", "\(end)")
            try await write(fixture.postgres.nodes[1], "after")
            let kept = try await Program.mustRun(
                fixture.postgres.nodes[1].psql("SELECT count(*) FROM before"))
            #expect(kept == "0\n")
        }
    }

    /// A standby that is stopped in the middle confirms nothing: the shutdown waits for it.
    @Test func aStandbyThatConfirmsNothingHoldsUpTheStop() async throws {
        try await PostgresFixture.run(
            policy: Self.policy(", on_hindrance: continue"), packs: [],
            settings: "wal_sender_timeout = 0"
        ) { fixture in
            let receiver = try await receiver(of: fixture.postgres.nodes[2])
            try #require(kill(receiver, SIGSTOP) == 0)
            let end: JSONValue
            do {
                end = try await fixture.move("switchover", to: "node-2")
            } catch {
                kill(receiver, SIGCONT)
                throw error
            }
            kill(receiver, SIGCONT)
            #expect(end["state"]?.string == "rolled_back", "\(end)")
            try await write(fixture.postgres.nodes[0], "after")
            try await fixture.healthy()
        }
    }

    private func receiver(of node: PostgresNode) async throws -> Int32 {
        let text = try await Program.mustRun(
            node.psql("SELECT pid FROM pg_stat_wal_receiver"))
        return try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    private func prepare(_ node: PostgresNode, _ extra: String...) async throws -> Programs.Result {
        let command = try #require(
            node.agentCommands(executable: Programs.continuity).first { $0.name == "prepare" })
        return try await Programs.run(Array(command.argv.dropFirst()) + extra)
    }

    @Test func prepareTellsEachHindranceAndNothingOfAServerThatIsWell() async throws {
        try await Trio.run { trio in
            let primary = trio.nodes[0]
            try trio.configure(primary, "archive_mode = on\narchive_command = '/bin/true'")
            try await trio.stop(primary)
            try await trio.startByHand(primary)
            try await trio.cluster.waitUntilStreaming(from: primary, count: 2)
            try await trio.psql(primary, "CREATE TABLE t AS SELECT 1 AS v")
            let well = try await prepare(primary)
            #expect(well.exitCode == 0 && well.errors.isEmpty, "\(well)")
            let standby = try await prepare(trio.nodes[1])
            #expect(standby.exitCode == 70 && standby.errors.contains("is a standby's"))

            let argv = primary.psql("BEGIN", "SELECT pg_sleep(60)")
            let session = try Background(
                Array(argv.dropFirst()), program: argv[0], log: trio.folder.path + "/session.log")
            defer { session.kill(SIGKILL) }
            let long = try await eventually("the transaction is told") {
                let result = try await prepare(primary, "--max-transaction-s", "1")
                return result.exitCode == 75 ? result : nil
            }
            #expect(long.errors.contains("has been open for"), "\(long.errors)")
            #expect(try await prepare(primary).exitCode == 0, "60 s are allowed")

            let receiver = try await receiver(of: trio.nodes[2])
            try #require(kill(receiver, SIGSTOP) == 0)
            try await trio.psql(primary, "CREATE TABLE u AS SELECT 1 AS v")
            let silent = try await prepare(primary)
            kill(receiver, SIGCONT)
            #expect(silent.exitCode == 75)
            #expect(silent.errors.contains("'n3' at "), "\(silent.errors)")

            for (command, how) in [
                ("/bin/false", "archive_command fails"),
                ("sleep 1000", "archive_command does not end"),
            ] {
                try await trio.psql(primary, "ALTER SYSTEM SET archive_command = '\(command)'")
                try await trio.psql(primary, "SELECT pg_reload_conf()")
                _ = try await eventually("the archiver has the command") {
                    try await trio.psql(primary, "SHOW archive_command") == command ? true : nil
                }
                try await trio.psql(primary, "CREATE TABLE IF NOT EXISTS w AS SELECT 1 AS v")
                // The archiver may be at an earlier file, with the earlier command.
                let result = try await eventually("it is told how: \(how)") {
                    let result = try await prepare(primary)
                    return result.errors.contains(how) ? result : nil
                }
                #expect(result.exitCode == 75, "\(result)")
            }
        }
    }
}
