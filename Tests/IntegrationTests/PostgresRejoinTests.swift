import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// What a data directory is taken for, and what is done to it, on real servers.
@Suite(.serialized) struct PostgresRejoinTests {
    /// The usual way to add a node. Its control file is the primary's: "in production".
    @Test func aBaseBackupThatWasNeverStartedIsStartedAsItIs() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await copyByHand(trio, primary, node)
            try await trio.psql(primary, "INSERT INTO t SELECT generate_series(101, 200)")
            let before = try trio.identity(node.dataDirectory)

            let rejoined = try await trio.rejoin(node, to: primary)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by as_it_is"), "\(rejoined)")
            #expect(rejoined.errors.contains("a base backup that was never started"))
            #expect(try trio.identity(node.dataDirectory) == before)
            try await trio.expectCopy(node, of: primary)
        }
    }

    /// The primary has moved on to another timeline since the backup was taken.
    @Test func aBaseBackupOfTheFormerPrimaryFollowsTheNewOne() async throws {
        try await Trio.run { trio in
            let (old, new, node) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await copyByHand(trio, old, node)
            try await trio.psql(old, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.has(new, "t")
            try await old.processes.kill()
            try await trio.psql(new, "SELECT pg_promote()")
            try await trio.psql(new, "INSERT INTO t VALUES (101)")

            let rejoined = try await trio.rejoin(node, to: new)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by as_it_is"), "\(rejoined)")
            try await trio.expectCopy(node, of: new)
        }
    }

    /// It was started without its signal file for once: two histories on one timeline. A position
    /// and a timeline that fit say nothing.
    @Test(arguments: [true, false]) func aSecondHistoryOnOneTimelineIsFound(
        isStopped: Bool
    ) async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.has(node, "t")
            try await trio.stop(node)
            unlink(node.dataDirectory + "/standby.signal")
            try await trio.startByHand(node)
            try await trio.psql(node, "UPDATE t SET id = -id")
            if isStopped { try await trio.stop(node) } else { try await node.processes.kill() }
            // So that its positions are behind the primary's.
            try await trio.psql(
                primary, "CREATE TABLE bulk AS SELECT g FROM generate_series(1, 20000) g")

            let rejoined = try await trio.rejoin(node, to: primary)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
            try await trio.expectCopy(node, of: primary)
            // What it had written is kept for a person.
            let kept = node.dataDirectory + ".continuity-old"
            #expect(FileManager.default.fileExists(atPath: kept + "/global/pg_control"))
        }
    }

    /// A file system's snapshot of the former primary, from before its end: recovered by itself it
    /// writes a checkpoint where the common history has other records.
    @Test func aCopyOfTheFormerPrimaryIsNotRecoveredByItself() async throws {
        try await Trio.run { trio in
            let (old, new, node) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await trio.psql(old, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.has(node, "t")
            try await node.processes.kill()
            try FileManager.default.removeItem(atPath: node.dataDirectory)
            try await old.processes.kill()
            try await trio.command("/bin/cp", "-a", old.dataDirectory, node.dataDirectory)
            unlink(node.dataDirectory + "/postmaster.pid")
            try await trio.start(old)
            try await trio.cluster.waitUntilStreaming(from: old, count: 1)
            try await trio.psql(old, "CREATE TABLE more AS SELECT 1 AS v")
            try await trio.has(new, "more")
            try await old.processes.kill()
            try await trio.psql(new, "SELECT pg_promote()")

            let control = try Data(
                contentsOf: URL(filePath: node.dataDirectory + "/global/pg_control"))
            let refused = try await trio.rejoin(node, to: new, "--copy", "never")
            #expect(refused.exitCode != 0 && refused.errors.contains("left to a person"))
            #expect(
                try Data(contentsOf: URL(filePath: node.dataDirectory + "/global/pg_control"))
                    == control, "nothing was written")

            let rejoined = try await trio.rejoin(node, to: new)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
            try await trio.expectCopy(node, of: new)
            #expect(try await trio.psql(node, "SELECT to_regclass('more')") == "more")
        }
    }

    @Test func theDataOfAnotherSystemIsNotTouched() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await node.processes.kill()
            try FileManager.default.removeItem(atPath: node.dataDirectory)
            try await Program.mustRun(
                node.installation.serverProgram(
                    "initdb", ["-D", node.dataDirectory, "-U", node.user, "--no-sync"]))
            let before = try trio.identity(node.dataDirectory)

            let refused = try await trio.rejoin(node, to: primary)
            #expect(refused.exitCode != 0 && refused.errors.contains("database system"))
            #expect(try trio.identity(node.dataDirectory) == before)
            #expect(
                !FileManager.default.fileExists(atPath: node.dataDirectory + "/standby.signal"))
        }
    }

    /// What a new copy would not mend is told, and the data stays.
    @Test func aFailureThatACopyWouldNotMendIsTold() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await node.processes.kill()
            let before = try trio.identity(node.dataDirectory)
            let config = try String(contentsOfFile: node.configFile, encoding: .utf8)

            let holder = try PortHolder(port: node.port)
            let taken = try await trio.rejoin(node, to: primary)
            #expect(taken.exitCode != 0)
            #expect(taken.errors.contains("could not create any TCP/IP sockets"), "\(taken.errors)")
            #expect(!taken.errors.contains("by base_backup"), "\(taken.errors)")
            holder.close()

            try trio.configure(node, "no_such_setting = 1")
            let wrong = try await trio.rejoin(node, to: primary)
            #expect(wrong.exitCode != 0 && !wrong.errors.contains("by base_backup"))
            #expect(wrong.errors.contains("contains errors"), "\(wrong.errors)")
            try config.write(toFile: node.configFile, atomically: false, encoding: .utf8)

            let log = try await trio.rejoin(
                node, to: primary, with: ["--log-file": trio.folder.path + "/none/log"])
            #expect(log.exitCode != 0 && !log.errors.contains("by base_backup"), "\(log.errors)")

            #expect(try trio.identity(node.dataDirectory) == before)
            let rejoined = try await trio.rejoin(node, to: primary)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by as_it_is"), "\(rejoined)")
        }
    }

    /// What the primary has no more justifies a copy.
    @Test func aStandbyThatMissesWALIsCopiedAnew() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await node.processes.kill()
            try await trio.psql(primary, "ALTER SYSTEM SET wal_keep_size = 0")
            try await trio.psql(primary, "SELECT pg_reload_conf()")
            for _ in 0..<6 {
                try await trio.psql(primary, "CREATE TABLE IF NOT EXISTS t (v int)")
                try await trio.psql(primary, "INSERT INTO t VALUES (1)")
                try await trio.psql(primary, "SELECT pg_switch_wal()")
                try await trio.psql(primary, "CHECKPOINT")
            }
            let rejoined = try await trio.rejoin(node, to: primary)
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            #expect(rejoined.errors.contains("has already been removed"), "\(rejoined.errors)")
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
            try await trio.expectCopy(node, of: primary)
        }
    }

    /// Settings of `ALTER SYSTEM` survive each way. The primary's count where a standby must not
    /// have less.
    @Test func settingsOfAPersonSurvive() async throws {
        try await Trio.run { trio in
            let (old, new) = (trio.nodes[0], trio.nodes[1])
            for node in trio.nodes {
                try await trio.psql(node, "ALTER SYSTEM SET max_connections = 70")
                try await trio.psql(node, "ALTER SYSTEM SET log_line_prefix = '\(node.id) '")
            }
            for node in trio.nodes {
                try await trio.stop(node)
            }
            for node in trio.nodes { try await trio.startByHand(node) }
            try await trio.partWays(killing: [])
            func expectOwn(_ node: PostgresNode) async throws {
                #expect(try await trio.psql(node, "SHOW max_connections") == "70")
                #expect(try await trio.psql(node, "SHOW log_line_prefix") == node.id)
            }

            let rewound = try await trio.rejoin(old, to: new)
            #expect(rewound.output.contains("rejoined by rewind"), "\(rewound)")
            try await expectOwn(old)
            try await old.processes.kill()
            let started = try await trio.rejoin(old, to: new)
            #expect(started.output.contains("rejoined by as_it_is"), "\(started)")
            try await expectOwn(old)
            try await old.processes.kill()
            unlink(old.dataDirectory + "/global/pg_control")
            let copied = try await trio.rejoin(old, to: new)
            #expect(copied.output.contains("rejoined by base_backup"), "\(copied)")
            try await expectOwn(old)
        }
    }

    /// What moves is not ended, however long it takes; what has stopped moving is.
    @Test func aSlowCopyGoesOnAndAHungOneIsEnded() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await node.processes.kill()
            unlink(node.dataDirectory + "/global/pg_control")

            let slow = try ThrottledProxy(to: primary.port, bytesPerSecond: 2 << 20)
            let began = ContinuousClock.now
            let rejoined = try await trio.rejoin(
                node, to: primary,
                with: ["--primary-port": "\(slow.port)", "--stall-timeout-s": "4"])
            #expect(rejoined.exitCode == 0, "\(rejoined.errors)")
            print("a copy at 2 MiB/s took \(ContinuousClock.now - began)")
            slow.close()

            try await node.processes.kill()
            unlink(node.dataDirectory + "/global/pg_control")
            let hung = try ThrottledProxy(to: primary.port, bytesPerSecond: 2 << 20)
            let fresh = node.dataDirectory + ".continuity-fresh"
            let arguments = trio.rejoinArguments(
                node, to: primary,
                with: ["--primary-port": "\(hung.port)", "--stall-timeout-s": "4"])
            async let ended = Programs.run(arguments)
            _ = try await eventually("the copy has begun") {
                FileManager.default.fileExists(atPath: fresh + "/base") ? true : nil
            }
            hung.stall()
            let result = try await ended
            #expect(result.exitCode != 0)
            #expect(result.errors.contains("nothing has moved for 4"), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: fresh), "nothing is left of it")
            hung.close()
        }
    }

    /// It is kept for the mistakes that it does not have yet.
    @Test func aStandbyThatIsLateOnPurposeStaysSo() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT 1 AS v")
            try await trio.has(node, "t")
            try await trio.psql(node, "ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
            try await trio.psql(node, "SELECT pg_reload_conf()")
            try await trio.psql(primary, "INSERT INTO t VALUES (2)")
            let written = try await trio.psql(primary, "SELECT pg_current_wal_flush_lsn()")
            _ = try await eventually("it has received the write") {
                try await trio.psql(
                    node, "SELECT pg_last_wal_receive_lsn() >= '\(written)'::pg_lsn") == "t"
                    ? true : nil
            }
            try await node.processes.kill()
            let before = try trio.identity(node.dataDirectory)

            let rejoined = try await trio.rejoin(node, to: primary)
            #expect(rejoined.output.contains("rejoined by as_it_is"), "\(rejoined)")
            #expect(rejoined.errors.contains("replays with a delay"), "\(rejoined.errors)")
            let question = "SELECT pg_last_wal_replay_lsn() < '\(written)'::pg_lsn"
            #expect(try await trio.psql(node, question) == "t", "it keeps the write back")
            #expect(try trio.identity(node.dataDirectory) == before)

            try await node.processes.kill()
            unlink(node.dataDirectory + "/global/pg_control")
            let refused = try await trio.rejoin(node, to: primary)
            #expect(refused.exitCode != 0 && refused.errors.contains("--copy discard"))
            #expect(try trio.identity(node.dataDirectory) == before)
        }
    }

    /// pg_ctl's own limit was half a minute; a recovery that advances has none.
    @Test func aRecoveryThatTakesLongIsWaitedFor() async throws {
        try await Trio.run { trio in
            let node = trio.nodes[2]
            try await trio.stop(node)
            // Each file that it asks its archive for takes a while.
            try trio.configure(node, "restore_command = 'sleep 12; exit 1'")
            let began = ContinuousClock.now
            let started = try await trio.restart(node)
            #expect(started.exitCode == 0, "\(started.errors)")
            let took = ContinuousClock.now - began
            #expect(took > .seconds(31), "\(took)")
        }
    }

    private func copyByHand(
        _ trio: Trio, _ primary: PostgresNode, _ node: PostgresNode
    ) async throws {
        try await node.processes.kill()
        try FileManager.default.removeItem(atPath: node.dataDirectory)
        let connection = node.connection(toHost: primary.place.host, port: "\(primary.port)")
        try await Program.mustRun(
            node.installation.serverProgram(
                "pg_basebackup",
                ["-D", node.dataDirectory, "-d", connection.conninfo, "-R", "--checkpoint=fast"]))
    }
}
