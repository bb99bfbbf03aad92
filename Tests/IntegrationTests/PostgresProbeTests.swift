import ContinuityCore
import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// `continuity postgres status`: a server that cannot be asked is not a dead one.
@Suite(.serialized) struct PostgresProbeTests {
    @Test func whatAServerSaysIsPrinted() async throws {
        try await Trio.run { trio in
            let primary = try await status(trio.nodes[0])
            #expect(primary["role"] == "primary" && primary["synchronous"] == true, "\(primary)")
            #expect(primary["position_bytes"]?.int ?? 0 > 0 && primary["detail"] == nil)
            let standby = try await status(trio.nodes[1])
            #expect(standby["role"] == "secondary" && standby["synchronous"] == .null)
            try await trio.psql(trio.nodes[0], "ALTER SYSTEM SET synchronous_standby_names = ''")
            try await trio.psql(trio.nodes[0], "SELECT pg_reload_conf()")
            _ = try await eventually("it acknowledges alone") {
                try await status(trio.nodes[0])["synchronous"] == false ? true : nil
            }
            try await trio.stop(trio.nodes[1])
            let stopped = try await print(trio.nodes[1])
            #expect(stopped.exitCode != 0 && stopped.errors.contains("stopped"))
        }
    }

    /// Superusers hold every slot, the reserved ones too.
    @Test func aBusyServerLives() async throws {
        try await Trio.run { trio in
            let (primary, standby) = (trio.nodes[0], trio.nodes[1])
            var holders: [Background] = []
            for node in [primary, standby] {
                for index in 0..<40 {
                    let argv = node.psql("SELECT pg_sleep(600)")
                    holders.append(
                        try Background(
                            Array(argv.dropFirst()), program: argv[0],
                            log: trio.folder.path + "/holder-\(node.id)-\(index)"))
                }
                let busy = try await eventually("\(node.id) takes nobody on") {
                    let printed = try await status(node)
                    return printed["answered"] == false ? printed : nil
                }
                #expect(busy["role"] == (node.id == "n1" ? "primary" : "secondary"), "\(busy)")
                #expect(busy["position_bytes"] == .null)
                #expect(busy["detail"]?.string?.contains("too many clients") == true, "\(busy)")
            }
            for holder in holders { holder.kill(SIGKILL) }
        }
    }

    /// Its postmaster answers, its logins take long.
    @Test func aSlowLoginIsNoDeath() async throws {
        try await Trio.run { trio in
            let primary = trio.nodes[0]
            try trio.configure(primary, "post_auth_delay = 3")
            try await trio.psql(primary, "SELECT pg_reload_conf()")
            let slow = try await eventually("a login takes long") {
                let printed = try await status(primary)
                return printed["answered"] == false ? printed : nil
            }
            #expect(slow["role"] == "primary", "\(slow)")
            #expect(slow["detail"]?.string?.contains("does not get to answer") == true)
        }
    }

    @Test func aHungServerAnswersNothing() async throws {
        try await Trio.run { trio in
            let primary = trio.nodes[0]
            let postmaster = try #require(primary.processes.postmaster)
            kill(postmaster, SIGSTOP)
            let hung = try await print(primary)
            kill(postmaster, SIGCONT)
            #expect(hung.exitCode != 0 && hung.errors.contains("answers nothing"), "\(hung)")
        }
    }

    /// It cannot log anybody in before it is consistent, and is no primary.
    @Test func aStandbyThatRecoversLives() async throws {
        try await Trio.run { trio in
            let standby = trio.nodes[1]
            try await trio.stop(standby)
            try trio.configure(standby, "hot_standby = off")
            try await trio.startByHand(standby)
            let printed = try await status(standby)
            #expect(printed["role"] == "secondary" && printed["answered"] == false, "\(printed)")
            #expect(printed["position_bytes"] == .null)
        }
    }

    /// Writes fail, and everything else answers.
    @Test func aFullVolumeIsTold() async throws {
        try await Trio.run { trio in
            let node = trio.nodes[0]
            try await trio.stop(node)
            let stash = trio.folder.path + "/stash"
            try await trio.command("/bin/mv", node.dataDirectory, stash)
            let volume = try await Volume(megabytes: 150, at: node.folder + "/volume", trio)
            try await volume.use {
                let data = node.folder + "/volume/data"
                try await trio.command("/bin/mv", stash, data)
                try FileManager.default.createSymbolicLink(
                    atPath: node.dataDirectory, withDestinationPath: data)
                try await trio.start(node)
                #expect(try await status(node)["full"] == nil)
                _ = try? await trio.command(
                    "/bin/dd", "if=/dev/zero", "of=\(node.folder)/volume/filler", "bs=1M")
                let full = try await status(node)
                #expect(full["role"] == "primary" && full["full"] == true, "\(full)")
                #expect(full["detail"]?.string?.contains("is full") == true, "\(full)")
                await PostgresProcesses(dataDirectory: data).end()
            }
        }
    }

    /// On a former primary nobody looks at its slots any more.
    @Test func anInactiveSlotThatHoldsWALIsTold() async throws {
        try await Trio.run { trio in
            let primary = trio.nodes[0]
            try await trio.psql(
                primary, "SELECT pg_create_physical_replication_slot('left_over', true)")
            #expect(try await status(primary)["detail"] == nil)
            for _ in 0..<12 {
                try await trio.psql(primary, "SELECT pg_logical_emit_message(false, 'a', 'b')")
                try await trio.psql(primary, "SELECT pg_switch_wal()")
            }
            let printed = try await status(primary)
            let detail = printed["detail"]?.string ?? ""
            #expect(detail.contains("'left_over' holds back"), "\(printed)")
        }
    }

    /// A first write after a quiet time is not as old as the one before. It is replayed ten
    /// milliseconds late here, so that the moment is met; a busy machine may make that more.
    @Test func aStandbyThatIsCaughtUpShowsNoLag() async throws {
        try await Trio.run { trio in
            let (primary, standby) = (trio.nodes[0], trio.nodes[1])
            try await trio.psql(primary, "CREATE TABLE t (v int)")
            try await trio.has(standby, "t")
            try await trio.psql(standby, "ALTER SYSTEM SET recovery_min_apply_delay = '10ms'")
            try await trio.psql(standby, "SELECT pg_reload_conf()")
            var seen: [[Int64]] = []
            for _ in 1...6 {
                let quiet = ["-c", "SET synchronous_commit = local", "-c", "SELECT pg_sleep(3)"]
                let writer = try Background(
                    Array(
                        (primary.psql() + quiet + ["-c", "INSERT INTO t VALUES (1)"]).dropFirst()),
                    program: primary.psql()[0], log: trio.folder.path + "/writer")
                let rounds = (0..<900).flatMap { _ in
                    ["-c", standby.statusCommand.last ?? "", "-c", "SELECT pg_sleep(0.004)"]
                }
                let printed = try await Program.mustRun(standby.psql() + rounds)
                writer.kill(SIGKILL)
                let lags = printed.split(separator: "\n").filter { $0.hasPrefix("{") }.compactMap {
                    try? JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))["lag_ms"]?.int
                }
                seen.append(lags.filter { $0 > 0 })
                if let most = lags.max(), most > 0, most < 2500 { return }
            }
            Issue.record("each time it was behind, the lag was that of the quiet time: \(seen)")
        }
    }

    /// What the agent fills in is quoted by the program.
    @Test func aStandbyIsPointedElsewhere() async throws {
        try await Trio.run { trio in
            let (primary, standby) = (trio.nodes[0], trio.nodes[1])
            let command = try #require(
                standby.agentCommands(executable: Programs.continuity).first { $0.name == "follow" }
            )
            func follow(_ host: String, _ port: String) async throws -> Programs.Result {
                try await Programs.run(
                    command.argv.dropFirst().map {
                        $0.replacing("{primary_host}", with: host)
                            .replacing("{primary_port}", with: port)
                    })
            }
            let odd = "a'; DROP TABLE t; -- \\"
            #expect(try await follow(odd, "\(primary.port)").exitCode == 0)
            let shown = try await trio.psql(standby, "SHOW primary_conninfo")
            #expect(shown.contains(#"host='a\'; DROP TABLE t; -- \\'"#), "\(shown)")
            #expect(try await follow("127.0.0.1", "0x1F").exitCode != 0)
            #expect(try await follow("127.0.0.1", "\(primary.port)").exitCode == 0)
            _ = try await eventually("it streams again") {
                try await status(standby)["streaming"] == true ? true : nil
            }
        }
    }

    private func print(_ node: PostgresNode) async throws -> Programs.Result {
        try await Programs.run(
            "postgres", "status", "--data-directory", node.dataDirectory, "--timeout-ms", "1500")
    }

    private func status(_ node: PostgresNode) async throws -> JSONValue {
        let printed = try await print(node)
        guard printed.exitCode == 0 else { throw WaitedInVain(what: "it answers: \(printed)") }
        return try JSONDecoder().decode(JSONValue.self, from: Data(printed.output.utf8))
    }
}
