import ContinuityCore
import Foundation
import Glibc
import Testing

/// A disk that is really full: a small file system of the server's own.
@Suite(.serialized) struct FullDiskTests {
    private let sizeBytes = 2 << 20

    @Test func withoutRoomOnTheDiskNothingIsDoneAndNothingIsLost() async throws {
        let fixture = try await AuditFixture()
        let serve = fixture.serve
        let disk = fixture.folder + "/disk"
        try FileManager.default.createDirectory(
            atPath: disk, withIntermediateDirectories: false)
        let text = try String(contentsOfFile: serve.configFile, encoding: .utf8)
        try serve.folder.write(
            text.replacing("journal: journal.sqlite", with: "journal: disk/journal.sqlite")
                + "limits: {requests_per_s_of_identity: 10000, requests_per_s_of_address: 10000}\n",
            to: "serve.yaml")
        let receiver = try AlertReceiver(port: serve.alertPort, secret: ServeFixture.secret)
        let receiving = Task { try await receiver.run() }
        defer { receiving.cancel() }
        // Mounted for this one process, so it goes away with it, however the test ends.
        let own = getuid() == 0 ? [] : ["--user", "--map-root-user"]
        try await serve.start(
            wrapper: ["/usr/bin/unshare"] + own + [
                "--mount", "/bin/sh", "-c",
                "mount -t tmpfs -o size=\(sizeBytes) tmpfs \"$0\" && exec \"$@\"", disk,
            ])
        defer { serve.kill() }
        let pid = try #require(serve.serve?.processID)
        let seen = "/proc/\(pid)/root" + disk
        try await serve.report(primary: .running)
        try await fixture.decide(2)

        for round in 1...2 {
            let token = try await makeToken(serve, "round-\(round)")
            let id = try #require(token.json["token_id"]?.string)
            let secret = try #require(token.json["token"]?.string)
            try fill(seen)
            // Space that the file has already may take a few entries more.
            _ = try await eventually("the journal cannot be written") {
                try await fixture.decide(1)
                return try await serve.send("GET", "status").json["audit"]?["suspended"]
            }
            let before = try await serve.entries()
            let refused = try await serve.send(
                "POST", "failover", body: Array(#"{"cluster_id":"demo","reason":"x"}"#.utf8))
            #expect(refused.status == 503)
            #expect(refused.json["type"]?.string?.hasSuffix("journal-unavailable") == true)
            let answer = try await serve.send(
                "POST", "agent/report",
                body: CanonicalJSON.bytes(
                    encoding: NodeReport(
                        clusterID: "demo", nodeID: "node-1", bootID: "test",
                        sequence: 1_000_000 * Int64(round), highestEpoch: 0,
                        service: ServiceReport(state: .running, role: .primary), peers: [:])))
            #expect(answer.json["lease_ms"] == nil, "no lease without a record: \(answer)")
            #expect(try await serve.entries() == before, "reads go on")
            // Who may ask is what is recorded: nobody new, and nobody less.
            #expect(try await makeToken(serve, "lost-\(round)").status == 503)
            #expect(try await revoke(serve, id) == 503)
            #expect(try await serve.send("GET", "status", token: secret).status == 200)
            #expect(serve.serve?.isRunning == true)
            _ = try await eventually("somebody is told") {
                receiver.accepted.filter {
                    $0.body.contains("continuity.audit.suspended")
                }.count >= round ? true : nil
            }

            try FileManager.default.removeItem(atPath: seen + "/fill")
            _ = try await eventually("it goes on by itself", within: .seconds(40)) {
                try await serve.send("GET", "status").json["audit"]?["suspended"] == nil
                    ? true : nil
            }
            let after = try await eventually("it decides again") {
                let entries = try await serve.entries()
                return entries.count > before.count ? entries : nil
            }
            #expect(try await serve.send("GET", "status", token: secret).status == 200)
            #expect(try await revoke(serve, id) == 200)
            #expect(try await serve.send("GET", "status", token: secret).status == 401)
            #expect(Array(after.prefix(before.count)) == before, "nothing is lost")
            let verdict = try await Programs.run(
                program: "nsenter",
                (own.isEmpty ? [] : ["--user", "--preserve-credentials"]) + [
                    "--mount", "--target", "\(pid)", Programs.continuity, "audit", "verify",
                    "--journal", disk + "/journal.sqlite", "--public-key", fixture.key + ".pub",
                ])
            #expect(verdict.exitCode == 0, "\(verdict.errors)")
        }
    }

    private func makeToken(
        _ serve: ServeFixture, _ name: String
    ) async throws -> (status: Int, json: JSONValue) {
        let order: JSONValue = [
            "name": .string(name), "owner": "ben", "role": "viewer", "expires_in_s": .int(600),
        ]
        let answer = try await serve.send("POST", "tokens", body: CanonicalJSON.bytes(order))
        return (answer.status, answer.json)
    }

    private func revoke(_ serve: ServeFixture, _ id: String) async throws -> Int {
        let order: JSONValue = ["token_id": .string(id)]
        return try await serve.send(
            "POST", "tokens/revoke", body: CanonicalJSON.bytes(order)
        ).status
    }

    /// Takes every byte that is left.
    private func fill(_ folder: String) throws {
        let descriptor = open(folder + "/fill", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0, "\(String(cString: strerror(errno)))")
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0xA5, count: 4096)
        for _ in 0...(sizeBytes / block.count) where write(descriptor, block, block.count) < 0 {
            try #require(errno == ENOSPC, "\(String(cString: strerror(errno)))")
            return
        }
        Issue.record("the file system of \(sizeBytes) bytes did not become full")
    }
}
