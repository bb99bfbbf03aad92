import ContinuityBroker
import ContinuityCore
import ContinuityHooks
import Foundation
import Testing

@testable import ContinuityDemo

/// A real BIND with a TSIG key, and the shipped pack.
@Suite("DNS updates", .serialized)
struct NameServerTests {
    final class Fixture {
        let harness: BrokerHarness
        let server: NameServer
        let daemon: Daemon

        init(key: String? = nil) async throws {
            let folder = NSTemporaryDirectory() + "named-\(UUID().uuidString)"
            let server = NameServer(folder: folder, port: try freePort())
            try server.write(nodes: ["db-1", "db-2", "db-3"], primary: "db-1")
            self.server = server
            harness = try BrokerHarness(
                secrets: [("dns-key", key ?? server.key, "127.0.0.1:\(server.port)")])
            daemon = try Daemon(
                server.argv, log: NSTemporaryDirectory() + "named-\(server.port).log")
            try await daemon.ready { try await self.record() == "db-1.demo.test." }
        }

        deinit {
            harness.remove()
            try? FileManager.default.removeItem(atPath: server.folder)
            try? FileManager.default.removeItem(atPath: daemon.log)
        }

        var grant: String {
            """
            {dns: [{server: "\(server.address)", zones: [demo.test], records: [db.demo.test, db-3.demo.test],
              types: [CNAME, TXT, A], tsig: {name: continuity, secret: dns-key}}]}
            """
        }

        /// As dig sees it.
        func record(_ name: String = "db.demo.test", _ type: String = "CNAME") async throws
            -> String
        {
            try await NameServerTests.output(
                [
                    "/usr/bin/dig", "+short", "+tries=1", "+time=1", "@127.0.0.1", "-p",
                    "\(server.port)", name, type,
                ])
        }

        func flip(_ mode: LiveBroker.Mode = .live) async throws -> HookOutcome {
            try await harness.run(
                pack: "hooks/dns-rfc2136", at: .dnsFlip, context: BrokerHarness.context(.dnsFlip),
                conf: ["zone": "demo.test", "name": "db.demo.test", "ttl": 5], grant: grant,
                mode: mode)
        }
    }

    static func output(_ argv: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: argv[0])
        process.arguments = Array(argv.dropFirst())
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("the pack changes the record, once, and a drill changes nothing")
    func flips() async throws {
        let fixture = try await Fixture()
        let drill = try await fixture.flip(.drill)
        #expect(drill.status == .ok && drill.effects.first?["would_do"] == true, "\(drill)")
        #expect(try await fixture.record() == "db-1.demo.test.")
        #expect(fixture.harness.port.intents.isEmpty)
        let outcome = try await fixture.flip()
        #expect(outcome.status == .ok, "\(outcome)")
        #expect(outcome.value["changed"] == true)
        #expect(try await fixture.record() == "db-2.demo.test.")
        #expect(fixture.harness.port.intents.map(\.name) == ["dns.update"])
        let again = try await fixture.flip()
        #expect(again.value["changed"] == false && again.effects.isEmpty, "\(again)")
        #expect(outcome.reads?.count == 1)
    }

    @Test("an update that lost a race fails instead of overwriting")
    func race() async throws {
        let fixture = try await Fixture()
        let outcome = try await fixture.harness.run(
            """
            local ok, message, code = ctx.dns.update({
                zone = "demo.test", name = "db.demo.test", type = "CNAME", data = { "db-2.demo.test" },
                prerequisites = {
                    { name = "db.demo.test", type = "CNAME", data = { "db-3.demo.test" } },
                },
            })
            return { code = code or "none", message = message or "" }
            """, grant: fixture.grant)
        #expect(outcome.value["code"] == "prerequisite_failed", "\(outcome)")
        #expect(try await fixture.record() == "db-1.demo.test.")
    }

    @Test("a wrong key and a name outside the server's policy are refused, and tell no secret")
    func refused() async throws {
        let wrong = Data(repeating: 7, count: 32).base64EncodedString()
        let fixture = try await Fixture(key: wrong)
        let outcome = try await fixture.flip()
        #expect(
            outcome.status == .failed && outcome.error?.contains("(refused)") == true, "\(outcome)")
        #expect(!"\(outcome)".contains(wrong))
        #expect(try await fixture.record() == "db-1.demo.test.")
        let right = try await Fixture()
        let other = try await right.harness.run(
            """
            local ok, message, code = ctx.dns.update({
                zone = "demo.test", name = "db-3.demo.test", type = "A", data = { "127.0.0.9" } })
            return { code = code or "none" }
            """, grant: right.grant)
        #expect(other.value["code"] == "refused", "\(other)")
        #expect(try await right.record("db-3.demo.test", "A") == "127.0.0.1")
    }

    @Test("a text cannot break out of its line, and names outside the grant are denied")
    func injection() async throws {
        let fixture = try await Fixture()
        for (data, type) in [
            ("x\\nupdate delete demo.test", "TXT"), ("a b", "CNAME"), ("1.2.3.4 5", "A"),
        ] {
            let outcome = try await fixture.harness.run(
                """
                local ok, message, code = ctx.dns.update({
                    zone = "demo.test", name = "db.demo.test", type = "\(type)", data = { "\(data)" } })
                return { code = code or "none" }
                """, grant: fixture.grant)
            #expect(outcome.value["code"] == "invalid", "\(outcome)")
        }
        let outcome = try await fixture.harness.run(
            "return nil, select(3, ctx.dns.lookup('ns.demo.test', 'A'))", grant: fixture.grant)
        #expect(outcome.status == .denied, "\(outcome)")
    }

    @Test("an effect that came too late for its run is not carried out")
    func tooLate() async throws {
        let fixture = try await Fixture()
        let late = try BrokerHarness(
            secrets: [("dns-key", fixture.server.key, "127.0.0.1")], port: TestPort(runIsOver: true)
        )
        defer { late.remove() }
        let outcome = try await late.run(
            pack: "hooks/dns-rfc2136", at: .dnsFlip, context: BrokerHarness.context(.dnsFlip),
            conf: ["zone": "demo.test", "name": "db.demo.test"], grant: fixture.grant)
        #expect(outcome.status == .failed, "\(outcome)")
        #expect(try await fixture.record() == "db-1.demo.test.")
    }
}
