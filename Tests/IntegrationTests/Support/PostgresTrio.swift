import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// A primary and two standbys, without agents.
struct Trio {
    let cluster: PostgresCluster
    let folder: TemporaryFolder
    var nodes: [PostgresNode] { cluster.nodes }

    /// - Parameters:
    ///   - below: a folder within the temporary one, in which the nodes stand.
    ///   - password: of the superuser.
    static func run(
        below name: String? = nil, password: String = "integration-test-password",
        _ body: (Trio) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        try #require(chmod(folder.path, 0o711) == 0)
        let installation = try await PostgresInstallation.locate()
        let place = name.map { "\(folder.path)/\($0)" } ?? folder.path
        if name != nil { try installation.makeFolder(place, mode: 0o711) }
        let cluster = PostgresCluster(
            installation: installation, folder: place,
            nodeIDs: ["n1", "n2", "n3"], ports: try (0..<3).map { _ in try freePort() },
            password: password)
        var failure: (any Error)?
        do {
            try await cluster.create()
            try await body(Trio(cluster: cluster, folder: folder))
        } catch {
            failure = error
        }
        await cluster.stop()
        if let failure { throw failure }
    }

    @discardableResult
    func psql(_ node: PostgresNode, _ statement: String) async throws -> String {
        try await Program.mustRun(node.psql("SET synchronous_commit = local", statement))
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func start(_ node: PostgresNode) async throws {
        let started = try await restart(node)
        try #require(started.exitCode == 0, "\(started.errors)")
    }

    /// The first node writes what nobody else has and dies; the second becomes primary and writes
    /// what the first does not have.
    ///
    /// - Parameter lost: are killed before the second writes, so that they never see it.
    func partWays(killing lost: [PostgresNode]) async throws {
        try await psql(
            nodes[0], "CREATE TABLE t AS SELECT g AS id, 0 AS v FROM generate_series(1, 2000) g")
        try await cluster.waitUntilStreaming(from: nodes[0], count: 2)
        for standby in nodes.dropFirst() {
            _ = try await eventually("\(standby.id) has the table") {
                try await Program.run(standby.psql("SELECT count(*) FROM t")).output == "2000\n"
                    ? true : nil
            }
            try await standby.processes.kill()
        }
        try await psql(nodes[0], "UPDATE t SET v = 1")
        try await psql(nodes[0], "CHECKPOINT")
        try await psql(nodes[0], "UPDATE t SET v = 2 WHERE id < 1000")
        try await nodes[0].processes.kill()
        for standby in nodes.dropFirst() { try await start(standby) }
        for node in lost { try await node.processes.kill() }
        try await psql(nodes[1], "SELECT pg_promote()")
        try await psql(nodes[1], "UPDATE t SET v = 3")
        try await psql(
            nodes[1],
            "CREATE TABLE bulk AS SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g")
        try await psql(nodes[1], "CHECKPOINT")
    }

    func has(_ node: PostgresNode, _ table: String) async throws {
        _ = try await eventually("\(node.id) has \(table)") {
            try await psql(node, "SELECT to_regclass('\(table)')") == table ? true : nil
        }
    }

    private func stone(_ node: PostgresNode) -> String { node.dataDirectory + "/zz-stop" }

    /// Kills a rejoin when its `pg_rewind` has copied nearly all and waits for the last file: a
    /// pipe in the source's directory that nobody writes to.
    ///
    /// - Returns: the process of `pg_rewind`, which still runs.
    func interruptRewind(of old: PostgresNode, from new: PostgresNode) async throws -> Int32 {
        try #require(mkfifo(stone(new), 0o600) == 0)
        try new.installation.giveToServer(stone(new))
        let path = try await psql(new, "SELECT pg_relation_filepath('bulk')")
        let bytes = try #require(UInt64(try await psql(new, "SELECT pg_relation_size('bulk')")))
        let program = try Background(
            rejoinArguments(old, to: new), log: folder.path + "/rejoin.log")
        _ = try await eventually("the table's file is copied", within: .seconds(60)) {
            var status = stat()
            guard stat("\(old.dataDirectory)/\(path)", &status) == 0 else { return nil as Bool? }
            return UInt64(status.st_size) == bytes ? true : nil
        }
        let rewind = try #require(pgRewind(of: old))
        program.kill(SIGKILL)
        #expect(pgRewind(of: old) == rewind, "it goes on without the one that started it")
        let control = try await Program.mustRun(
            old.installation.serverProgram("pg_controldata", ["-D", old.dataDirectory]))
        #expect(
            control.contains(/cluster state: +shut down\n/),
            "its control file says that all is well: \(control)")
        return rewind
    }

    private func pgRewind(of node: PostgresNode) -> Int32? {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.first { pid in
            guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else {
                return false
            }
            let words = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            return words.first?.hasSuffix("/pg_rewind") == true
                && words.contains(node.dataDirectory)
        }
    }

    /// Lets the server process go on that waits for the pipe.
    func releaseSource(_ node: PostgresNode) throws {
        let descriptor = open(stone(node), O_WRONLY | O_NONBLOCK)
        if descriptor >= 0 { close(descriptor) }
        try #require(unlink(stone(node)) == 0)
    }

    func startsInNoWay(_ node: PostgresNode) async throws {
        let refused = try await restart(node)
        #expect(refused.exitCode != 0 && refused.errors.contains("order a rejoin"))
        let byHand = try await Program.run(node.startCommand)
        #expect(!byHand.isSuccess)
        let log = try String(contentsOfFile: node.logFile, encoding: .utf8)
        #expect(log.contains("has invalid permissions"))
        #expect(node.processes.living().isEmpty)
    }

    func mode(_ node: PostgresNode) throws -> mode_t {
        var status = stat()
        try #require(stat(node.dataDirectory, &status) == 0)
        return status.st_mode
    }

    private func rejoinArguments(_ node: PostgresNode, to primary: PostgresNode) -> [String] {
        Array(
            node.rejoinCommand(
                executable: "", host: primary.place.host, port: "\(primary.port)"
            ).dropFirst())
    }

    func rejoin(
        _ node: PostgresNode, to primary: PostgresNode, _ extra: String...
    ) async throws -> Programs.Result {
        try await Programs.run(rejoinArguments(node, to: primary) + extra)
    }

    /// The arguments of a rejoin with other values of options.
    func rejoinArguments(
        _ node: PostgresNode, to primary: PostgresNode, with values: [String: String]
    ) -> [String] {
        var arguments = rejoinArguments(node, to: primary)
        for (option, value) in values {
            if let index = arguments.firstIndex(of: option) {
                arguments[index + 1] = value
            } else {
                arguments += [option, value]
            }
        }
        return arguments
    }

    func rejoin(
        _ node: PostgresNode, to primary: PostgresNode, with values: [String: String]
    ) async throws -> Programs.Result {
        try await Programs.run(rejoinArguments(node, to: primary, with: values))
    }

    /// Stops it in an orderly way.
    func stop(_ node: PostgresNode) async throws {
        try await Program.mustRun(node.pgCtl("stop", "-m", "fast", "-w"))
    }

    /// A server on this node's data, without asking whether that is good.
    func startByHand(_ node: PostgresNode) async throws {
        try await Program.mustRun(node.startCommand)
    }

    /// Which directory this is, whatever its name.
    func identity(_ path: String) throws -> String {
        var status = stat()
        try #require(stat(path, &status) == 0, "\(path) is there")
        return "\(status.st_dev):\(status.st_ino)"
    }

    /// Adds lines to a node's postgresql.conf.
    func configure(_ node: PostgresNode, _ lines: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: node.configFile))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data((lines + "\n").utf8))
        try handle.close()
    }

    func command(_ argv: String...) async throws {
        try await Program.mustRun(argv)
    }

    /// As the agent is told to.
    func restart(_ node: PostgresNode) async throws -> Programs.Result {
        let command = try #require(
            node.agentCommands(executable: Programs.continuity).first { $0.name == "restart" })
        return try await Programs.run(Array(command.argv.dropFirst()))
    }

    /// It is a standby, and has each row and page as the primary has them.
    func expectCopy(_ node: PostgresNode, of primary: PostgresNode) async throws {
        #expect(try await psql(node, "SELECT pg_is_in_recovery()") == "t")
        for table in ["pg_class", "t", "bulk"] {
            let there = try await Program.run(
                primary.psql("SELECT to_regclass('\(table)') IS NOT NULL"))
            guard there.output == "t\n" else { continue }
            let question =
                "SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM \(table) x"
            let wanted = try await psql(primary, question)
            _ = try await eventually("\(node.id) has \(table) as \(primary.id) has it") {
                try await psql(node, question) == wanted ? true : nil
            }
        }
    }
}
