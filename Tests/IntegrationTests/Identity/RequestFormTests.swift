import ContinuityCore
import Foundation
import Glibc
import Testing

/// Requests that two readers could understand differently, and names that people could.
@Suite(.serialized) struct RequestFormTests {
    @Test func whatAProxyCouldReadDifferentlyIsRefused() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        func ask(_ target: String, hosts: [String] = ["a"]) async throws -> String {
            let lines =
                ["GET \(target) HTTP/1.1"] + hosts.map { "Host: \($0)" }
                + ["Authorization: Bearer \(ServeFixture.token)", "Connection: close", "", ""]
            // As it stands here: curl would mend it.
            let file = try fixture.folder.write(
                lines.joined(separator: "\r\n"), to: "request-\(UUID().uuidString)")
            let answer = try await Programs.run(
                program: "bash",
                [
                    "-c",
                    "exec 3<>/dev/tcp/127.0.0.1/\(fixture.port); cat '\(file)' >&3; cat <&3",
                ])
            return answer.output
        }
        let path = "/api/v1/continuity/status"
        #expect(try await ask(path).hasPrefix("HTTP/1.1 200"))
        #expect(try await ask(path + "/").hasPrefix("HTTP/1.1 200"), "it changes nothing")
        let two = try await ask(path, hosts: ["a", "b"])
        #expect(two.hasPrefix("HTTP/1.1 400") && two.contains("two Host fields"), "\(two)")
        for target in [
            "http://a" + path, "HTTP://a" + path, "/" + path, "/api//v1/continuity/status",
            "/api/v1/continuity/../continuity/status", "/api/v1/./continuity/status",
            "/api/v1/%2e%2E/v1/continuity/status", "/api/v1/continuity\\status",
        ] {
            let answer = try await ask(target)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(target): \(answer)")
            #expect(answer.contains("bad-request"), "\(target): \(answer)")
        }
    }

    /// Overlong, alone and cut bytes must not be taken as U+FFFD: what is journaled is what was
    /// sent.
    @Test func aFormThatIsNotUTF8IsRefused() async throws {
        let server = try await SecureServe()
        try await server.start()
        for form in ["reason=%FF%FE", "reason=%C0%AF", "reason=a%E2%82", "reason=%ED%A0%80"] {
            let answer = try await server.curl(
                nil, server.api + "/approval-links/x", "--data", form)
            #expect(answer.status == 400, "\(form): \(answer)")
        }
        let raw = try server.folder.write("", to: "form")
        try Data(Array("reason=".utf8) + [0xFF, 0x41]).write(to: URL(fileURLWithPath: raw))
        let answer = try await server.curl(
            nil, server.api + "/approval-links/x", "--data-binary", "@" + raw)
        #expect(answer.status == 400 && answer.body.contains("UTF-8"), "\(answer)")
        let good = try await server.curl(
            nil, server.api + "/approval-links/x", "--data", "reason=%E2%82%AC")
        #expect(good.status == 404, "the link, not the form: \(good)")
    }

    @Test func namesThatCouldBeTakenForAnothersAreRefused() async throws {
        let server = try await SecureServe()
        try await server.start()
        func create(_ name: String, _ owner: String) async throws -> Programs.Result {
            try await server.continuity(
                "admin", "token", "create", "--name", name, "--owner", owner, "--out",
                server.folder.path + "/" + name)
        }
        for owner in ["bootstrap", "Bootstrap", "Viewer", "ADMIN"] {
            let refused = try await create("a", owner)
            #expect(refused.exitCode == 3, "\(owner): \(refused.errors)")
        }
        #expect(try await create("b", "ana").exitCode == 0)
        let twin = try await create("c", "Ana")
        #expect(twin.exitCode == 3 && twin.errors.contains("by case alone"), "\(twin.errors)")
        #expect(try await create("d", "ana").exitCode == 0)
        let text = try String(
            contentsOfFile: server.folder.path + "/serve.yaml", encoding: .utf8)
        let file = try server.folder.write(
            text.replacing(
                "  - {name: admin, role: admin}",
                with: "  - {name: admin, role: admin}\n  - {name: Admin, role: viewer}"),
            to: "twins.yaml")
        let twins = try await Programs.run("serve", "--config", file)
        #expect(twins.exitCode == 65 && twins.errors.contains("case alone"), "\(twins.errors)")
    }

    @Test func claimingInALoopEnds() async throws {
        let server = try await SecureServe()
        try await server.start()
        let made = try await server.continuity(
            "admin", "token", "create", "--name", "a", "--owner", "ana", "--out",
            server.folder.path + "/a")
        #expect(made.exitCode == 0, "\(made.errors)")
        var token = try String(contentsOfFile: server.folder.path + "/a", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        var claimed = 0
        var last = 0
        for _ in 0..<10 {
            let answer = try await server.curl(
                nil, server.api + "/tokens/claim",
                SecureServe.change() + ["--header", "Authorization: Bearer \(token)"])
            last = answer.status
            guard answer.status == 201 else { continue }
            claimed += 1
            let json = try JSONDecoder().decode(JSONValue.self, from: Data(answer.body.utf8))
            token = try #require(json["token"]?.string)
        }
        #expect(claimed == 3 && last == 409)
    }

    /// Whose witness, and which cluster's brake, is no matter of those who see another cluster.
    @Test func aCredentialOfOneClusterSeesNoOthersWitness() async throws {
        let server = try await SecureServe(
            extra: "", agents: "  - {name: guest, role: viewer, clusters: [other]}")
        try await server.pki("issue", "--person", "guest", "--out", server.file("guest"))
        try await server.start()
        let body = """
            {"cluster_id":"orders","node_id":"node-1","boot_id":"b","sequence":1,
             "highest_epoch":0,"peers":{},"witness":{"seq":1,"hash":"\(String(repeating: "0", count: 64))"},
             "service":{"state":"running","role":"primary","streaming":false,"detail":""}}
            """
        let session = SecureServe.session(of: try await server.report("node-1"))
        let told = try await server.curl(
            "node-1", server.api + "/agent/report", "--header",
            "Continuity-Session: \(session)", "--data",
            body.replacing(#""sequence":1"#, with: #""sequence":2"#))
        #expect(told.status == 200, "\(told)")
        let all = try await server.curl("viewer", server.api + "/status")
        #expect(
            all.body.contains(#""cluster_id":"orders","node_id":"node-1","seq":1"#)
                || all.body.contains(#""alarm""#), "\(all)")
        let some = try await server.curl("guest", server.api + "/status")
        #expect(some.status == 200)
        #expect(some.body.contains(#""witnesses":[]"#), "\(some)")
        #expect(!some.body.contains("orders"))
    }

    /// Errors for programs, and rows that fit a screen.
    @Test func whatIsPrintedIsForItsReader() async throws {
        let server = try await SecureServe()
        try await server.start()
        let error = try await server.continuity(
            "operator", "failover", "--cluster", "nowhere", "--reason", "x", "--json")
        #expect(error.exitCode == 1)
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(error.errors.utf8))
        #expect(json["exit_code"]?.int == 1)
        #expect(json["error"]?.string?.contains("no-such-cluster") == true)
        for number in 0..<6 {
            let made = try await server.continuity(
                "admin", "token", "create", "--name", "purpose-\(number)", "--owner", "ana",
                "--out", server.folder.path + "/t\(number)")
            #expect(made.exitCode == 0, "\(made.errors)")
        }
        let report = try await Programs.run(
            "audit", "access", "--config", server.folder.path + "/serve.yaml")
        #expect(report.output.contains("ana, last never"), "\(report.output)")
        let longest = report.output.split(separator: "\n").map(\.count).max() ?? 0
        #expect(longest <= 100, "\(report.output)")
        // Logs: a sentence for people, values for programs.
        #expect(server.log.contains("journal: token_created"))
        #expect(!server.log.contains("body={"))
    }

    @Test func logsForProgramsHoldValues() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        let log = fixture.folder.path + "/json.log"
        let serve = try Background(
            ["serve", "--config", fixture.configFile, "--log-format", "json"], log: log)
        defer { serve.kill(SIGKILL) }
        let line = try await eventually("the journal is logged") { () -> JSONValue? in
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").lazy
                .compactMap { try? JSONDecoder().decode(JSONValue.self, from: Data($0.utf8)) }
                .first { $0["message"]?.string == "journal: cluster_configured" }
        }
        #expect(line["seq"]?.int != nil)
        #expect(line["body"]?["policy"]?["policy_id"]?.string == "p", "\(line)")
    }
}
