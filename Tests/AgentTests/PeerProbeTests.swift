import ContinuityCore
import ContinuityPostgres
import Foundation
import Glibc
import Testing

@testable import ContinuityAgent

/// What tells a service that is stopped from one that answers, with a real PostgreSQL.
@Suite(.serialized) struct PeerProbeTests {
    @Test func aStoppedPostgresAcceptsConnectionsAndAnswersNothing() async throws {
        try await withPostgres { postgres, address in
            for probe in [ServiceProbe.tcp, .postgresql] {
                let failure = await TCPProbe.failure(
                    connectingTo: address, asking: probe, timeoutMs: 5000)
                #expect(failure == nil, "\(probe.rawValue)")
            }
            let pids = postgres.processes.living()
            #expect(!pids.isEmpty)
            for pid in pids { kill(pid, SIGSTOP) }
            defer { for pid in pids { kill(pid, SIGCONT) } }
            #expect(
                await TCPProbe.failure(connectingTo: address, timeoutMs: 2000) == nil,
                "its kernel takes connections")
            let began = ContinuousClock.now
            let failure = await TCPProbe.failure(
                connectingTo: address, asking: .postgresql, timeoutMs: 300)
            #expect(failure?.contains("no answer") == true)
            #expect(ContinuousClock.now - began < .seconds(3), "bounded")
            for pid in pids { kill(pid, SIGCONT) }
            try await eventually("it answers when it goes on") {
                await TCPProbe.failure(connectingTo: address, asking: .postgresql, timeoutMs: 1000)
                    == nil
            }
        }
    }

    @Test(arguments: [false, true])
    func theQuestionLeavesNothingInItsLog(withTLS: Bool) async throws {
        try await withPostgres { postgres, address in
            if withTLS { try await turnTLSOn(postgres) }
            let before = try String(contentsOfFile: postgres.logFile, encoding: .utf8)
            for _ in 0..<20 {
                #expect(
                    await TCPProbe.failure(
                        connectingTo: address, asking: .postgresql, timeoutMs: 5000) == nil)
            }
            // What it writes now comes after whatever it had to say of those.
            let marker = "marker-of-the-test"
            _ = try? await Program.mustRun(
                postgres.psql("DO $$ BEGIN RAISE WARNING '\(marker)'; END $$"))
            try await eventually("the marker is in the log") {
                try String(contentsOfFile: postgres.logFile, encoding: .utf8).contains(marker)
            }
            let after = try String(contentsOfFile: postgres.logFile, encoding: .utf8)
            let news = after.dropFirst(before.count).split(separator: "\n")
            #expect(news.allSatisfy { $0.contains(marker) || $0.contains("CONTEXT") }, "\(news)")
        }
    }

    /// With a certificate of its own, as an installer makes one.
    private func turnTLSOn(_ postgres: PostgresNode) async throws {
        let (certificate, key) = (postgres.folder + "/server.crt", postgres.folder + "/server.key")
        try await Program.mustRun([
            "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost",
            "-keyout", key, "-out", certificate,
        ])
        for file in [certificate, key] {
            try #require(chmod(file, 0o600) == 0)
            try postgres.installation.giveToServer(file)
        }
        for (name, value) in [("ssl_cert_file", certificate), ("ssl_key_file", key), ("ssl", "on")]
        {
            try await Program.mustRun(postgres.psql("ALTER SYSTEM SET \(name) = '\(value)'"))
        }
        try await Program.mustRun(postgres.psql("SELECT pg_reload_conf()"))
        // A client that insists is let in, so it is on.
        let overTLS = [
            postgres.installation.binDirectory + "/psql", "-XAtqw", "-c",
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "-d",
            "host=\(postgres.place.host) port=\(postgres.port) user=\(postgres.user) "
                + "dbname=\(PostgresNode.database) passfile=\(postgres.passfile) sslmode=require",
        ]
        try await eventually("it speaks TLS") {
            try await Program.run(overTLS).output == "t\n"
        }
    }

    @Test func anAgentReportsAPeerWhoseServiceIsStoppedAsUnreachable() async throws {
        try await withPostgres { postgres, address in
            try await Harness.run { harness in
                let closed = "http://127.0.0.1:1"
                harness.orchestrator.answer {
                    $0.peers = [
                        PeerAddress(
                            nodeID: "n2", agentURL: closed, serviceAddress: "\(address)",
                            probe: .postgresql),
                        PeerAddress(
                            nodeID: "n3", agentURL: closed, serviceAddress: "\(address)"),
                    ]
                }
                try await harness.reported("both reach it") {
                    $0.peers == ["n2": .serviceOnly, "n3": .serviceOnly]
                }
                let pids = postgres.processes.living()
                for pid in pids { kill(pid, SIGSTOP) }
                defer { for pid in pids { kill(pid, SIGCONT) } }
                try await harness.reported("only its kernel is reached") {
                    $0.peers == ["n2": .unreachable, "n3": .serviceOnly]
                }
                for pid in pids { kill(pid, SIGCONT) }
                try await harness.reported("both reach it again") {
                    $0.peers == ["n2": .serviceOnly, "n3": .serviceOnly]
                }
            }
        }
    }

    @Test func anHTTPServiceAnswersAnyStatus() async throws {
        try await Harness.run { harness in
            let port = try #require(harness.orchestrator.port)
            let address = try #require(Endpoint("127.0.0.1:\(port)"))
            #expect(
                await TCPProbe.failure(connectingTo: address, asking: .http, timeoutMs: 5000)
                    == nil)
            let closed = try #require(Endpoint("127.0.0.1:1"))
            #expect(
                await TCPProbe.failure(connectingTo: closed, asking: .http, timeoutMs: 500) != nil)
        }
    }

    private func withPostgres(
        _ body: (PostgresNode, Endpoint) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "continuity-probe-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o711])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let port = try #require(freePort())
        let cluster = PostgresCluster(
            installation: try await PostgresInstallation.locate(), folder: folder,
            nodeIDs: ["n1"], ports: [port], password: "a-password-of-the-tests")
        let outcome: Result<Void, any Error>
        do {
            try await cluster.create()
            let node = cluster.nodes[0]
            outcome = .success(try await body(node, try #require(Endpoint(node.address))))
        } catch {
            outcome = .failure(error)
        }
        await cluster.stop()
        try outcome.get()
    }

    private func freePort() -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                guard bind(descriptor, $0, length) == 0,
                    getsockname(descriptor, $0, &length) == 0
                else { return nil }
                return Int(UInt16(bigEndian: pointer.pointee.sin_port))
            }
        }
    }
}
