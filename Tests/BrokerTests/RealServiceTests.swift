import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Testing

@Suite("HAProxy and Alertmanager", .serialized)
struct RealServiceTests {
    @Test("the pack moves clients at a real HAProxy, and nothing beyond its grant")
    func haproxy() async throws {
        let harness = try BrokerHarness()
        defer { harness.remove() }
        let socket = harness.folder + "/admin.sock"
        let port = try freePort()
        let tcp = try freePort()
        try """
        global
            stats socket \(socket) mode 600 level admin
            stats socket ipv4@127.0.0.1:\(tcp) level admin
        defaults
            mode tcp
            timeout connect 1s
            timeout client 1s
            timeout server 1s
        listen orders
            bind 127.0.0.1:\(port)
            server db1 127.0.0.1:1
            server db2 127.0.0.1:2 disabled

        """.write(toFile: harness.folder + "/haproxy.cfg", atomically: true, encoding: .utf8)
        let daemon = try Daemon(
            ["/usr/sbin/haproxy", "-db", "-f", harness.folder + "/haproxy.cfg"],
            log: harness.folder + "/haproxy.log")
        try await daemon.ready { FileManager.default.fileExists(atPath: socket) }
        for address in [socket, "127.0.0.1:\(tcp)"] {
            let grant = """
                {haproxy: [{address: "\(address)", commands: [set server orders/db1, set server orders/db2, show servers state]}]}
                """
            func states() async throws -> String {
                let outcome = try await harness.run(
                    "return { text = ctx.haproxy.command('\(address)', 'show servers state orders') }",
                    grant: grant)
                #expect(outcome.effects.isEmpty, "a look is no effect")
                let lines = outcome.value["text"]?.string?.split(separator: "\n") ?? []
                // Bit 0 of the seventh field, the administrative state: maintenance.
                return lines.filter { $0.contains("orders") }
                    .map { line in
                        let state = Int(line.split(separator: " ")[6]) ?? -1
                        return state & 1 == 0 ? "ready" : "maint"
                    }
                    .joined(separator: " ")
            }
            func weights() async throws -> String {
                let outcome = try await harness.run(
                    "return { text = ctx.haproxy.command('\(address)', 'show servers state orders') }",
                    grant: grant)
                let lines = outcome.value["text"]?.string?.split(separator: "\n") ?? []
                return lines.filter { $0.contains("orders") }
                    .map { String($0.split(separator: " ")[7]) }.joined(separator: " ")
            }
            for (wanted, found) in [
                ([0, 150], "0 150"), ([500, 1000], "128 256"), ([1, 1], "1 1"),
            ] {
                let outcome = try await harness.run(
                    pack: "hooks/haproxy-runtime", at: .dnsFlip,
                    context: BrokerHarness.context(weights: wanted.map { ("", Int64($0)) }),
                    conf: ["addresses": [.string(address)], "backend": "orders"], grant: grant)
                #expect(outcome.status == .ok && outcome.effects.count == 2, "\(outcome)")
                #expect(try await weights() == found)
            }
            let moved = try await harness.run(
                pack: "hooks/haproxy-runtime", at: .promote,
                context: BrokerHarness.context(.promote),
                conf: ["addresses": [.string(address)], "backend": "orders"], grant: grant)
            #expect(moved.status == .ok && moved.effects.count == 2, "\(moved)")
            #expect(try await states() == "maint ready")
            let back = try await harness.run(
                pack: "hooks/haproxy-runtime", at: .rollback,
                context: BrokerHarness.context(.rollback),
                conf: ["addresses": [.string(address)], "backend": "orders"], grant: grant)
            #expect(back.status == .ok, "\(back)")
            #expect(try await states() == "ready maint")
            for (command, code) in [
                ("set server other/db1 state maint", "denied"),
                ("shutdown frontend orders", "denied"),
                ("show servers state; set server orders/db1 state maint", "invalid"),
            ] {
                let outcome = try await harness.run(
                    "local _, _, code = ctx.haproxy.command('\(address)', '\(command)') "
                        + "return { code = code }", grant: grant)
                #expect(outcome.value["code"] == .string(code), "\(outcome)")
            }
        }
    }

    @Test("the pack's alert arrives at a real Alertmanager")
    func alertmanager() async throws {
        let harness = try BrokerHarness()
        defer { harness.remove() }
        let port = try freePort()
        try "route: {receiver: none}\nreceivers: [{name: none}]\n".write(
            toFile: harness.folder + "/am.yml", atomically: true, encoding: .utf8)
        let daemon = try Daemon(
            [
                "/usr/bin/prometheus-alertmanager", "--config.file=\(harness.folder)/am.yml",
                "--storage.path=\(harness.folder)/am", "--web.listen-address=127.0.0.1:\(port)",
                "--cluster.listen-address=",
            ], log: harness.folder + "/am.log")
        let client = HTTPClient(maxConcurrent: 2)
        defer { client.shutdown() }
        let url = "http://127.0.0.1:\(port)"
        try await daemon.ready {
            (try? await client.send(HTTPRequest(url: url + "/-/ready")))?.status == 200
        }
        let outcome = try await harness.run(
            pack: "hooks/notify-alertmanager", at: .notify,
            context: BrokerHarness.context(.notify),
            conf: ["url": .string(url), "labels": ["team=db"]],
            grant:
                "{http: [{hosts: ['\(url)'], methods: [POST], paths: [/api/v2/alerts], allow_private: true}]}"
        )
        #expect(outcome.status == .ok, "\(outcome)")
        var body = ""
        for _ in 0..<100 where !body.contains("run-1") {
            let response = try await client.send(HTTPRequest(url: url + "/api/v2/alerts"))
            body = String(decoding: response.body, as: UTF8.self)
        }
        #expect(
            body.contains("\"alertname\":\"ContinuityRun\"") && body.contains("\"team\":\"db\""))
        #expect(body.contains("demo was failed over from db-1 to db-2"), "\(body)")
    }
}
