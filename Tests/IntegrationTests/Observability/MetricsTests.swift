import ContinuityCore
import Foundation
import Glibc
import Testing

@Suite(.serialized) struct MetricsTests {
    /// The samples of a page, by name and labels as they stand there.
    private func samples(_ page: String) -> [String: Double] {
        var samples: [String: Double] = [:]
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            samples[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return samples
    }

    private func page(_ fixture: ServeFixture, _ path: String = "/metrics") async throws -> String {
        try await Tool.curl([
            "--fail", "--header", "Authorization: Bearer \(ServeFixture.token)",
            "http://127.0.0.1:\(fixture.port)\(path)",
        ]).output
    }

    /// Issue 15, 25: what looks after servers often asks with HEAD.
    @Test func everyGETIsAnsweredForHEADWithoutABody() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        let base = "http://127.0.0.1:\(fixture.port)"
        let bearer = ["--header", "Authorization: Bearer \(ServeFixture.token)"]
        for path in ["/health/live", "/health/ready", "/metrics", "/api/v1/continuity/status"] {
            let got = try await Tool.curl(
                ["-o", "/dev/null", "-w", "%{http_code}"] + bearer + [base + path])
            let head = try await Tool.curl(
                ["--head", "-w", "%{http_code}"] + bearer + [base + path])
            #expect(got.output == "200")
            #expect(head.output.hasSuffix("200"), "\(path): \(head.output)")
        }
        let nobody = try await Tool.curl(["--head", base + "/api/v1/continuity/status"])
        #expect(nobody.output.contains(" 401 "), "GET's rules hold")
        // An event stream has no end, its HEAD has: and it keeps no place among the readers.
        for _ in 0..<20 {
            let events = try await Tool.curl(
                ["--head"] + bearer + [base + "/api/v1/continuity/events"])
            #expect(events.output.contains(" 200 "), "\(events.output)")
        }
        let wrong = try await Tool.curl(["-i", "-X", "PUT", base + "/health/live"])
        #expect(wrong.output.lowercased().contains("allow: get, head"), "\(wrong.output)")
    }

    @Test func theFiguresAreThoseOfTheClusterAndPromtoolLikesThem() async throws {
        let fixture = try ServeFixture(
            policy:
                "policy_id: p\nstrategy: manual\napprovals: {failover: 0}\n"
        )
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("all is well") {
                let now = samples(try await page(fixture))
                return now[#"continuity_cluster_state{cluster_id="demo",state="HEALTHY"}"#] == 1
                    ? true : nil
            }
            let before = samples(try await page(fixture))
            // Born at zero: what is born at one does not show in `increase()`.
            let finished =
                #"continuity_journal_entries_total{cluster_id="demo",kind="run_finished"}"#
            #expect(before[finished] == 0)
            for outcome in ["committed", "rolled_back", "failed", "refused"] {
                let name = "continuity_run_duration_seconds_count"
                #expect(before[name + "{cluster_id=\"demo\",outcome=\"\(outcome)\"}"] == 0)
            }
            // What was written since the start counts, though nobody looked then.
            let configured =
                #"continuity_journal_entries_total{cluster_id="demo",kind="cluster_configured"}"#
            #expect(before[configured] == 1)
            #expect(before["continuity_leader"] == 1)
            let build = before.keys.filter { $0.hasPrefix("continuity_build_info{") }
            #expect(build.count == 1)
            #expect(build.first?.contains("version=\"\(ProductVersion.number)\"") == true)
            #expect(
                before[#"continuity_node_primary{cluster_id="demo",node_id="node-1"}"#] == 1)
            #expect(
                before[#"continuity_node_primary{cluster_id="demo",node_id="node-2"}"#] == 0)
            let reply = try await fixture.send(
                "POST", "switchover", body: Array(#"{"cluster_id":"demo","reason":"test"}"#.utf8))
            #expect(reply.status == 202, "\(reply.json)")
            let after = try await eventually("the run is counted") {
                let now = samples(try await page(fixture))
                return now[finished] == 1 ? now : nil
            }
            #expect(
                after[
                    "continuity_run_duration_seconds_count{cluster_id=\"demo\",outcome=\"committed\"}"
                ] == 1)
            #expect(after[#"continuity_node_primary{cluster_id="demo",node_id="node-1"}"#] == 0)
            let reports = #"continuity_http_requests_total{operation="report",status="200"}"#
            #expect(after[reports] ?? 0 >= 3, "those of three agents")
            #expect(after["process_resident_memory_bytes"] ?? 0 > 1_000_000)
        }
        let checked = try await Tool.run(
            "promtool", ["check", "metrics"], input: try await page(fixture))
        #expect(checked.exitCode == 0, "\(checked.output)\(checked.errors)")
    }

    @Test func aRealPrometheusReadsThemWithAToken() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        let port = try freePort()
        try fixture.folder.write(
            """
            scrape_configs:
              - job_name: continuity
                scrape_interval: 500ms
                scrape_timeout: 500ms
                authorization: {credentials_file: token}
                static_configs: [{targets: ["127.0.0.1:\(fixture.port)"]}]

            """, to: "prometheus.yml")
        let prometheus = try Background(
            [
                "--config.file=\(fixture.folder.path)/prometheus.yml",
                "--storage.tsdb.path=\(fixture.folder.path)/tsdb",
                "--web.listen-address=127.0.0.1:\(port)",
            ], program: "/usr/bin/prometheus", log: fixture.folder.path + "/prometheus.log")
        defer { prometheus.kill(SIGKILL) }
        func value(_ query: String) async throws -> String? {
            let answer = try await Tool.run(
                "promtool", ["query", "instant", "http://127.0.0.1:\(port)", query])
            // up{instance="…"} => 1 @[1764000000.123]
            return answer.output.firstMatch(of: #/ => (\S+) @/#).map { String($0.output.1) }
        }
        let up = try await eventually("Prometheus has read them", within: .seconds(60)) {
            try await value("continuity_leader") == nil ? nil : try await value("up")
        }
        #expect(up == "1")
        #expect(try await value("continuity_leader") == "1")
        // Nobody's agent lives here: the cluster is not well, and Prometheus can tell.
        #expect(
            try await value(#"continuity_cluster_state{cluster_id="demo",state="HEALTHY"}"#) == "0")
    }

    @Test func aCredentialSeesItsOwnClustersAlone() async throws {
        let server = try await SecureServe()
        try await server.start()
        let file = server.folder.path + "/bound.token"
        let made = try await server.continuity(
            "admin", "token", "create", "--name", "prometheus", "--role", "viewer", "--cluster",
            "orders", "--out", file)
        #expect(made.exitCode == 0, "\(made.errors)")
        let token = try String(contentsOfFile: file, encoding: .utf8)
            .trimmingCharacters(in: .newlines)
        let bound = try await server.curl(
            nil, server.url + "/metrics", "--header", "Authorization: Bearer \(token)")
        #expect(bound.status == 200)
        #expect(bound.body.contains(#"cluster_id="orders""#))
        #expect(!bound.body.contains("other"))
        #expect(!bound.body.contains(#"cluster_id="""#), "nor what is about no cluster")
        let all = try await server.curl("viewer", server.url + "/metrics")
        #expect(all.body.contains(#"cluster_id="other""#))
        #expect(try await server.curl(nil, server.url + "/metrics").status == 401)
    }

    @Test func deepHealthSaysWhatIsNotWell() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        let text = try await page(fixture, "/health/deep")
        let health = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(health["status"]?.string == "warn", "\(text)")
        #expect(
            health["checks"]?["cluster/demo:agents"]?.array?.first?["output"]?.string
                == "never heard: node-1, node-2, node-3")
        #expect(
            health["checks"]?["journal:writable"]?.array?.first?["status"]?.string == "pass")
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("all is well") {
                try await page(fixture, "/health/deep").contains(#""status":"warn""#) ? nil : true
            }
        }
    }
}
