import ContinuityPostgres
import Foundation
import Glibc
import Testing

/// A rejoin with a role that has what PostgreSQL's manual gives one for `pg_rewind`, and no more.
@Suite(.serialized) struct PostgresRightsTests {
    private static let grants = [
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)", "pg_read_binary_file(text, bigint, bigint, boolean)",
    ]

    @Test func theManualsRightsAreEnoughForARewind() async throws {
        try await Trio.run { trio in
            let (old, new, other) = (trio.nodes[0], trio.nodes[1], trio.nodes[2])
            try await prepare(trio)
            for right in Self.grants {
                try await trio.psql(
                    old, "GRANT EXECUTE ON FUNCTION pg_catalog.\(right) TO rewinder")
            }
            try await trio.partWays(killing: [other])

            let rewound = try await trio.rejoin(old, to: new, with: values(trio))
            #expect(rewound.output.contains("rejoined by rewind"), "\(rewound)")
            try await trio.expectCopy(old, of: new)
            // It streams, and the role may not see that on the primary.
            let started = try await trio.rejoin(other, to: new, with: values(trio))
            #expect(started.output.contains("rejoined by as_it_is"), "\(started)")
            try await trio.expectCopy(other, of: new)
        }
    }

    @Test func whatIsMissingIsNamedAtOnceAndNothingIsTouched() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await prepare(trio)
            try await trio.psql(primary, "ALTER ROLE rewinder NOREPLICATION")
            try await trio.psql(
                primary, "GRANT EXECUTE ON FUNCTION pg_catalog.\(Self.grants[0]) TO rewinder")
            try await node.processes.kill()
            let before = try trio.identity(node.dataDirectory)
            let refused = try await trio.rejoin(node, to: primary, with: values(trio))
            #expect(refused.exitCode != 0)
            #expect(refused.errors.contains("ALTER ROLE \"rewinder\" REPLICATION;"))
            for right in Self.grants.dropFirst() {
                let wanted = "GRANT EXECUTE ON FUNCTION pg_catalog.\(right) TO \"rewinder\";"
                #expect(refused.errors.contains(wanted), "\(refused.errors)")
            }
            #expect(!refused.errors.contains(Self.grants[0]))
            #expect(try trio.identity(node.dataDirectory) == before)
        }
    }

    /// A standby that the primary refuses is left running: it serves reads, and a copy would be
    /// refused too.
    @Test func aStandbyThatMerelyDoesNotStreamIsLeftRunning() async throws {
        try await Trio.run { trio in
            let (primary, node) = (trio.nodes[0], trio.nodes[2])
            try await trio.psql(primary, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
            try await trio.has(node, "t")
            try await node.processes.kill()
            try await trio.psql(primary, "INSERT INTO t VALUES (101)")
            try trio.configure(node, "primary_slot_name = 'no_such_slot'")
            let before = try trio.identity(node.dataDirectory)

            let told = try await trio.rejoin(node, to: primary)
            #expect(told.exitCode != 0 && !told.errors.contains("by base_backup"), "\(told)")
            #expect(told.errors.contains("no_such_slot"), "\(told.errors)")
            #expect(told.errors.contains("left running"), "\(told.errors)")
            #expect(try trio.identity(node.dataDirectory) == before)
            #expect(try await trio.psql(node, "SELECT count(*) FROM t") == "100")
            // What hindered it is mended by a person, and nothing else is needed.
            try await trio.psql(
                primary, "SELECT pg_create_physical_replication_slot('no_such_slot')")
            _ = try await eventually("it streams") {
                try await trio.psql(node, "SELECT count(*) FROM t") == "101" ? true : nil
            }
        }
    }

    private func values(_ trio: Trio) -> [String: String] {
        ["--user": "rewinder", "--passfile": trio.folder.path + "/rewinder.pass"]
    }

    private func prepare(_ trio: Trio) async throws {
        try await trio.psql(
            trio.nodes[0], "CREATE ROLE rewinder LOGIN REPLICATION PASSWORD 'rewinder-password'")
        let passfile = trio.folder.path + "/rewinder.pass"
        try trio.nodes[0].installation.write(
            "*:*:*:rewinder:rewinder-password\n", to: passfile, mode: 0o600)
        for node in trio.nodes {
            let handle = try #require(FileHandle(forWritingAtPath: node.accessFile))
            try handle.seekToEnd()
            try handle.write(
                contentsOf: Data(
                    """
                    host all         rewinder \(node.place.clients) scram-sha-256
                    host replication rewinder \(node.place.clients) scram-sha-256

                    """.utf8))
            try handle.close()
            try await trio.psql(node, "SELECT pg_reload_conf()")
        }
        for standby in trio.nodes.dropFirst() {
            _ = try await eventually("\(standby.id) knows the role") {
                try await trio.psql(
                    standby, "SELECT count(*) FROM pg_roles WHERE rolname = 'rewinder'") == "1"
                    ? true : nil
            }
        }
    }
}
