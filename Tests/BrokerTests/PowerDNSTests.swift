import ContinuityBroker
import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Subprocess
import SystemPackage
import Testing

@Suite("A real PowerDNS", .serialized)
struct PowerDNSTests {
    private static let key = "powerdns-test-key-0123456789"
    private static let zone = """
        {"name": "demo.test.", "kind": "Native", "nameservers": ["ns.demo.test."], "rrsets": [{"name": "db.demo.test.",
         "type": "CNAME", "ttl": 5, "records": [{"content": "db-1.demo.test.", "disabled": false}]}]}
        """

    private struct Server {
        let harness: BrokerHarness
        let daemon: Daemon
        let client: HTTPClient
        let api: Int
        let dns: Int

        func call(_ method: String, _ path: String, _ body: String = "") async throws -> Int {
            try await client.send(
                HTTPRequest(
                    method: method, url: "http://127.0.0.1:\(api)/api/v1/servers/localhost\(path)",
                    headers: ["x-api-key": PowerDNSTests.key, "content-type": "application/json"],
                    body: Array(body.utf8))
            ).status
        }

        /// What clients of the name server see.
        func record() async throws -> String {
            let result = try await Subprocess.run(
                .path("/usr/bin/dig"),
                arguments: [
                    "+short", "+tries=1", "+time=2", "@127.0.0.1", "-p", "\(dns)", "db.demo.test",
                    "CNAME",
                ], output: .string(limit: 4096))
            return result.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        func run(
            _ stage: Stage, secret: String = "powerdns", mode: LiveBroker.Mode = .live,
            paths: String = "/api/v1/servers/localhost/zones/demo.test.*"
        ) async throws -> HookOutcome {
            let url = "http://127.0.0.1:\(api)"
            return try await harness.run(
                pack: "hooks/dns-powerdns", at: stage, context: BrokerHarness.context(stage),
                conf: [
                    "url": .string(url), "zone": "demo.test", "name": "db.demo.test", "ttl": 5,
                    "secret": .string(secret),
                ],
                grant: """
                    {http: [{hosts: ['\(url)'], methods: [GET, PATCH], paths: ['\(paths)'], allow_private: true}],
                     secrets: [powerdns, wrong]}
                    """, mode: mode)
        }
    }

    private func withServer(_ body: (Server) async throws -> Void) async throws {
        let harness = try BrokerHarness(secrets: [
            ("powerdns", Self.key, "127.0.0.1"), ("wrong", "some-other-key-0123", "127.0.0.1"),
        ])
        defer { harness.remove() }
        let server = Server(
            harness: harness, daemon: try start(harness), client: HTTPClient(maxConcurrent: 2),
            api: ports.api, dns: ports.dns)
        defer { server.client.shutdown() }
        try await server.daemon.ready { (try? await server.call("GET", "")) == 200 }
        #expect(try await server.call("POST", "/zones", Self.zone) == 201)
        #expect(try await server.record() == "db-1.demo.test.")
        try await body(server)
    }

    private let ports: (api: Int, dns: Int)

    init() throws { ports = (try freePort(), try freePort()) }

    private func start(_ harness: BrokerHarness) throws -> Daemon {
        let folder = harness.folder
        try """
        launch=lmdb
        lmdb-filename=\(folder)/pdns.lmdb
        local-address=127.0.0.1
        local-port=\(ports.dns)
        api=yes
        api-key=\(Self.key)
        webserver=yes
        webserver-address=127.0.0.1
        webserver-port=\(ports.api)
        webserver-allow-from=127.0.0.1
        socket-dir=\(folder)
        cache-ttl=0
        query-cache-ttl=0
        negquery-cache-ttl=0
        security-poll-suffix=

        """.write(toFile: folder + "/pdns.conf", atomically: true, encoding: .utf8)
        return try Daemon(
            [
                "/usr/sbin/pdns_server", "--config-dir=\(folder)", "--daemon=no", "--guardian=no",
            ], log: folder + "/pdns.log")
    }

    @Test("the pack flips the record, and back, and leaves alone what is somebody else's")
    func flips() async throws {
        try await withServer { server in
            let drill = try await server.run(.dnsFlip, mode: .drill)
            #expect(drill.status == .ok && drill.effects.count == 1, "\(drill)")
            #expect(drill.effects.first?["would_do"] == true)
            #expect(try await server.record() == "db-1.demo.test.", "a drill changes nothing")
            let flipped = try await server.run(.dnsFlip)
            #expect(flipped.status == .ok && flipped.value["changed"] == true, "\(flipped)")
            #expect(try await server.record() == "db-2.demo.test.")
            let again = try await server.run(.dnsFlip)
            #expect(again.value["changed"] == false && again.effects.isEmpty, "\(again)")
            let back = try await server.run(.rollback)
            #expect(back.value["changed"] == true, "\(back)")
            #expect(try await server.record() == "db-1.demo.test.")
            let foreign = """
                {"rrsets": [{"name": "db.demo.test.", "type": "CNAME", "ttl": 5, "changetype": "REPLACE",
                 "records": [{"content": "elsewhere.test.", "disabled": false}]}]}
                """
            #expect(try await server.call("PATCH", "/zones/demo.test.", foreign) == 204)
            let refused = try await server.run(.dnsFlip)
            #expect(refused.status == .failed && refused.effects.isEmpty)
            #expect(refused.error?.contains("somebody else has changed it") == true)
            #expect(try await server.record() == "elsewhere.test.")
        }
    }

    @Test("a wrong key is told by the server, a path outside the grant by the broker")
    func refused() async throws {
        try await withServer { server in
            let wrong = try await server.run(.dnsFlip, secret: "wrong")
            #expect(wrong.status == .failed)
            #expect(wrong.error?.contains("status 401") == true, "\(wrong)")
            let outside = try await server.run(
                .dnsFlip, paths: "/api/v1/servers/localhost/zones/other.test.*")
            #expect(outside.status == .denied, "\(outside)")
            #expect(try await server.record() == "db-1.demo.test.")
        }
    }
}
