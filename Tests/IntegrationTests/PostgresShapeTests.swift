import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// What real installations look like: mount points, tablespaces, a WAL directory of its own, links,
/// odd names, several versions. Needs root, for the mounts.
@Suite(.serialized) struct PostgresShapeTests {
    /// Locks, marks and copies have names that are made from the path.
    @Test func aTrailingSlashOrALinkIsTheSameDirectory() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await node.processes.kill()
            unlink(node.dataDirectory + "/global/pg_control")
            let link = trio.folder.path + "/link"
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: node.dataDirectory)

            let rejoined = try await trio.rejoin(
                node, to: primary, with: ["--data-directory": link + "//"])
            #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
            try await trio.expectCopy(node, of: primary)
            #expect(DataDirectory.linkTarget(link) == node.dataDirectory)
            let names = try FileManager.default.contentsOfDirectory(atPath: node.dataDirectory)
            #expect(
                names.allSatisfy { !$0.contains("continuity") && !$0.hasPrefix(".") }, "\(names)")
        }
    }

    /// It cannot be renamed, and the copy must be on its own file system.
    @Test func aMountPointIsFilledAndExchangedInPlace() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.stop(node)
            try FileManager.default.removeItem(atPath: node.dataDirectory)
            let volume = try await Volume(megabytes: 400, at: node.dataDirectory, trio)
            try await volume.use {
                // A new file system: nothing but lost+found.
                let filled = try await trio.rejoin(node, to: primary)
                #expect(filled.output.contains("rejoined by base_backup"), "\(filled)")
                try await trio.expectCopy(node, of: primary)

                try await node.processes.kill()
                unlink(node.dataDirectory + "/global/pg_control")
                let again = try await trio.rejoin(node, to: primary)
                #expect(again.output.contains("rejoined by base_backup"), "\(again)")
                try await trio.expectCopy(node, of: primary)
                let kept = node.dataDirectory + "/pgsql_tmp_continuity_old"
                #expect(FileManager.default.fileExists(atPath: kept + "/PG_VERSION"))
                let parent = try FileManager.default.contentsOfDirectory(atPath: node.folder)
                #expect(!parent.contains { $0.contains("continuity") }, "\(parent)")

                // What is kept is no part of a backup of this server.
                let target = trio.folder.path + "/backup"
                try node.installation.makeFolder(target)
                try await Program.mustRun(
                    node.installation.serverProgram(
                        "pg_basebackup",
                        [
                            "-D", target, "-d",
                            primary.connection(toHost: node.place.host, port: "\(node.port)")
                                .conninfo, "--no-password",
                        ]))
                let copied = try FileManager.default.contentsOfDirectory(atPath: target)
                #expect(!copied.contains { $0.contains("continuity") }, "\(copied)")
                await node.processes.end()
            }
        }
    }

    /// An exchange on a mount point that was interrupted is ended by the next rejoin, and nothing
    /// is started from it before.
    @Test(arguments: ["out", "in"]) func anInterruptedExchangeIsEnded(phase: String) async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.has(node, "t")
            try await trio.stop(node)
            let stash = trio.folder.path + "/stash"
            try await trio.command("/bin/cp", "-a", node.dataDirectory, stash)
            try FileManager.default.removeItem(atPath: node.dataDirectory)
            let volume = try await Volume(megabytes: 400, at: node.dataDirectory, trio)
            try await volume.use {
                let data = node.dataDirectory
                let (fresh, old) = (
                    data + "/pgsql_tmp_continuity_fresh", data + "/pgsql_tmp_continuity_old"
                )
                // The old half in place, the other half moved out; or the fresh half moved in.
                try await trio.command("/bin/cp", "-a", stash, fresh)
                try await trio.command("/bin/cp", "-a", stash, old)
                if phase == "out" {
                    for name in ["base", "pg_wal"] {
                        try await trio.command(
                            "/bin/cp", "-a", "\(stash)/\(name)", "\(data)/\(name)")
                        try FileManager.default.removeItem(atPath: "\(old)/\(name)")
                    }
                } else {
                    for name in ["base", "pg_wal", "PG_VERSION"] {
                        try await trio.command("/bin/mv", "\(fresh)/\(name)", "\(data)/\(name)")
                    }
                }
                try phase.write(toFile: data + ".exchanging", atomically: false, encoding: .utf8)

                let refused = try await trio.restart(node)
                #expect(refused.exitCode != 0 && refused.errors.contains("was interrupted"))
                let rejoined = try await trio.rejoin(node, to: primary)
                #expect(rejoined.output.contains("rejoined by as_it_is"), "\(rejoined)")
                try await trio.expectCopy(node, of: primary)
                #expect(!FileManager.default.fileExists(atPath: fresh))
                #expect(!FileManager.default.fileExists(atPath: data + ".exchanging"))
                await node.processes.end()
            }
        }
    }

    /// A tablespace and the WAL on volumes of their own, through two copies and a rewind.
    @Test func tablespacesAndAWALDirectoryStayWhereTheyAre() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            let installation = node.installation
            let (space, wal) = (trio.folder.path + "/space", trio.folder.path + "/wal")
            // One machine: the standbys cannot have it at the same place as the primary.
            for other in trio.nodes.dropFirst() { try await other.processes.kill() }
            try installation.makeFolder(space)
            try installation.makeFolder(wal)
            try await trio.psql(primary, "CREATE TABLESPACE space LOCATION '\(space)'")
            try await trio.psql(
                primary, "CREATE TABLE t TABLESPACE space AS SELECT generate_series(1, 999) AS id")
            // The node's WAL stands elsewhere.
            try await trio.command("/bin/mv", node.dataDirectory + "/pg_wal", wal + "/n3")
            try FileManager.default.createSymbolicLink(
                atPath: node.dataDirectory + "/pg_wal", withDestinationPath: wal + "/n3")
            unlink(node.dataDirectory + "/global/pg_control")

            for round in 1...3 {
                let rejoined = try await trio.rejoin(node, to: primary)
                #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
                try await trio.expectCopy(node, of: primary)
                let walNow = DataDirectory.linkTarget(node.dataDirectory + "/pg_wal")
                #expect(walNow?.hasPrefix(wal + "/n3") == true, "\(walNow ?? "none")")
                let links = try FileManager.default.contentsOfDirectory(
                    atPath: node.dataDirectory + "/pg_tblspc")
                let target = DataDirectory.linkTarget(
                    node.dataDirectory + "/pg_tblspc/\(try #require(links.first))")
                #expect(target?.hasPrefix(space + ".continuity-") == true, "\(target ?? "none")")
                try await node.processes.kill()
                guard round < 3 else { break }
                unlink(node.dataDirectory + "/global/pg_control")
            }
            // One old copy is kept, not three.
            let beside = try FileManager.default.contentsOfDirectory(atPath: trio.folder.path)
            #expect(beside.count { $0.hasPrefix("space.continuity-") } <= 2, "\(beside)")
            let logs = try FileManager.default.contentsOfDirectory(atPath: wal)
            #expect(logs.count <= 2, "\(logs)")
        }
    }

    /// Room for one copy: a person is asked, and may say that the old data goes first.
    @Test func withoutRoomForTwoAPersonIsAsked() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(
                primary,
                "CREATE TABLE bulk AS SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, "
                    + "30000) g")
            try await trio.stop(node)
            let stash = trio.folder.path + "/stash"
            try await trio.command("/bin/mv", node.dataDirectory, stash)
            let volume = try await Volume(megabytes: 150, at: node.folder + "/volume", trio)
            try await volume.use {
                let data = node.folder + "/volume/data"
                try await trio.command("/bin/cp", "-a", stash, data)
                // The node's programs know it by its usual name.
                try FileManager.default.createSymbolicLink(
                    atPath: node.dataDirectory, withDestinationPath: data)
                unlink(data + "/global/pg_control")
                let before = try trio.identity(data)

                let asked = try await trio.rejoin(node, to: primary)
                #expect(asked.exitCode != 0 && asked.errors.contains("--copy discard"))
                #expect(try trio.identity(data) == before)
                #expect(!FileManager.default.fileExists(atPath: data + ".continuity-fresh"))

                let rejoined = try await trio.rejoin(node, to: primary, "--copy", "discard")
                #expect(rejoined.output.contains("rejoined by base_backup"), "\(rejoined)")
                try await trio.expectCopy(node, of: primary)
                await PostgresProcesses(dataDirectory: data).end()
            }
        }
    }

    /// Every value is quoted by the rules of the place it goes to.
    @Test func oddNamesAndPasswordsAreTakenLiterally() async throws {
        try await Trio.run(below: "i's $(x) `x` \"\\ =", password: "p:w'\\ \"#") {
            trio in
            let (old, new) = (trio.nodes[0], trio.nodes[1])
            try await trio.partWays(killing: [])
            let rejoined = try await trio.rejoin(
                old, to: new, with: ["--application-name": "it's \\ \"n1\""])
            #expect(rejoined.output.contains("rejoined by rewind"), "\(rejoined)")
            try await trio.expectCopy(old, of: new)
            let names = try await trio.psql(
                new, "SELECT application_name FROM pg_stat_replication ORDER BY 1")
            #expect(names.contains("it's \\ \"n1\""), "\(names)")
        }
    }

    /// What a rejoin would stumble over is told beforehand.
    @Test func theCheckNamesWhatWouldFail() async throws {
        try await Trio.run { trio in
            let node = trio.nodes[2]
            func check(_ config: String) async throws -> Programs.Result {
                try await Programs.run(
                    "postgres", "check", "--data-directory", node.dataDirectory + "/",
                    "--config-file", config)
            }
            let good = try await check(node.configFile)
            #expect(good.exitCode == 0 && good.output.contains("has what it needs"), "\(good)")
            let inside = node.dataDirectory + "/postgresql.conf"
            let bad = try await check(inside)
            #expect(bad.exitCode == 1, "\(bad)")
            #expect(bad.output.contains("stands in the data directory"), "\(bad)")
            try node.installation.write(
                "16\n", to: node.dataDirectory + "/PG_VERSION", mode: 0o600)
            let old = try await check(node.configFile)
            #expect(old.exitCode == 1 && old.output.contains("PostgreSQL 16"), "\(old)")
        }
    }

    /// `PG_VERSION` decides, not what is newest.
    @Test func theVersionOfTheDataDecides() async throws {
        let folder = try TemporaryFolder()
        let real = try await PostgresInstallation.locate()
        func standIn(_ major: Int) throws -> String {
            let bin = "\(folder.path)/\(major)"
            try FileManager.default.createDirectory(
                atPath: bin, withIntermediateDirectories: false)
            for name in [
                "postgres", "pg_ctl", "pg_basebackup", "pg_rewind", "pg_controldata", "psql",
            ] {
                try folder.write(
                    "#!/bin/sh\necho 'postgres (PostgreSQL) \(major).4'\n", to: "\(major)/\(name)",
                    mode: 0o755)
            }
            return bin
        }
        let folders = [try standIn(99), try standIn(98), real.binDirectory]
        let data = folder.path + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
        try real.giveToServer(data)
        let directory = try DataDirectory(data)
        try folder.write("98\n", to: "data/PG_VERSION", mode: 0o644)
        let found = try await PostgresInstallation.locate(for: directory, folders: folders)
        #expect(found.binDirectory == folders[1] && found.majorVersion == 98)

        try folder.write("97\n", to: "data/PG_VERSION", mode: 0o644)
        let error = try await #require(throws: PostgresError.self) {
            _ = try await PostgresInstallation.locate(for: directory, folders: folders)
        }
        #expect(error.message.contains("needs the programs of PostgreSQL 97"), "\(error.message)")
        #expect(error.message.contains("99 in "), "\(error.message)")
    }
}

/// A file system of its own, in a file.
struct Volume {
    private let mountPoint: String
    private let trio: Trio

    init(megabytes: Int, at mountPoint: String, _ trio: Trio) async throws {
        self.mountPoint = mountPoint
        self.trio = trio
        let image = trio.folder.path + "/image"
        try await trio.command("/usr/bin/truncate", "-s", "\(megabytes)M", image)
        try await trio.command("/sbin/mkfs.ext4", "-q", "-m", "0", image)
        let installation = trio.nodes[0].installation
        try installation.makeFolder(mountPoint)
        try await trio.command("/bin/mount", "-o", "loop", image, mountPoint)
        try installation.makeFolder(mountPoint)
    }

    /// Unmounts it, whatever happens. The servers on it have to be ended first.
    func use(_ body: () async throws -> Void) async throws {
        var failure: (any Error)?
        do { try await body() } catch { failure = error }
        await PostgresProcesses(dataDirectory: mountPoint).end()
        _ = try? await Program.run(["/bin/umount", "-l", mountPoint])
        if let failure { throw failure }
    }
}

extension PostgresProcesses {
    func end() async { _ = try? await kill() }
}
