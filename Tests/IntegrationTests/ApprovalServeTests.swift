import ContinuityCore
import ContinuityHTTP
import Foundation
import Testing

/// Approvals against a real `serve`, by the command line, with tokens of different people.
@Suite struct ApprovalServeTests {
    private static let policy = """
        policy_id: p
        strategy: manual
        approvals: {failover: 1, groups: [sre]}

        """

    func withServer(
        _ body: (ServeFixture, PlayedAgents) async throws -> Void
    ) async throws {
        let fixture = try ServeFixture(policy: Self.policy)
        let configuration = try String(contentsOfFile: fixture.configFile, encoding: .utf8)
        // The channel is bob's own.
        let approver = "approver: {person: bob, base_url: \"http://127.0.0.1:\(fixture.port)\"}"
        try fixture.folder.write(
            configuration.replacing(
                "secret_file: oncall.whsec", with: "secret_file: oncall.whsec, \(approver)")
                + "groups: [{name: sre, people: [bob, carl]}]\n"
                + "audit: {key_file: audit.key}\n", to: "serve.yaml")
        let made = try await Programs.run(
            "audit", "key", "init", "--key", fixture.folder.path + "/audit.key")
        try #require(made.exitCode == 0, "\(made.errors)")
        try await fixture.start()
        defer { fixture.kill() }
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("the cluster is healthy") {
                let status = try await fixture.send("GET", "status").json
                return status["clusters"]?.array?.first?["state"]?.string == "HEALTHY" ? true : nil
            }
            try await body(fixture, agents)
        }
    }

    /// A token of a person's own, and how the command line uses it.
    func access(
        _ fixture: ServeFixture, _ person: String, _ role: String, name: String = "laptop"
    ) async throws -> [String] {
        let file = fixture.folder.path + "/\(person)-\(name)"
        let made = try await Programs.run(
            [
                "token", "create", "--name", name, "--owner", person, "--role", role, "--out",
                file,
            ] + fixture.access)
        #expect(made.exitCode == 0, "\(made.errors)")
        return ["--server", "http://127.0.0.1:\(fixture.port)", "--token-file", file]
    }

    func approvalID(_ text: String) throws -> String {
        try #require(
            text.split(whereSeparator: { " \n\"".contains($0) })
                .first { $0.hasPrefix("approval-") }.map(String.init), "\(text)")
    }

    @Test func aFailoverWaitsForSomebodyElseOfTheGroup() async throws {
        try await withServer { fixture, agents in
            let ada = try await access(fixture, "ada", "operator")
            let bob = try await access(fixture, "bob", "operator")
            let ask = ["failover", "--cluster", "demo", "--reason", "disk smells"]
            let asked = try await Programs.run(ask + ada)
            #expect(asked.exitCode == 5, "\(asked.errors)")
            let id = try approvalID(asked.output)
            #expect(asked.output.contains("continuity approve \(id)"), "\(asked.output)")
            func approve(_ access: [String]) async throws -> Programs.Result {
                try await Programs.run(
                    ["approve", id, "--cluster", "demo", "--reason", "seen"] + access)
            }
            // By another token of the same person, by a name that is only claimed, by an outsider.
            let phone = try await access(fixture, "ada", "admin", name: "phone")
            let own = try await approve(phone)
            #expect(own.exitCode == 3 && own.errors.contains("same-person"), "\(own.errors)")
            let claimed = try await approve(ada + ["--requested-by", "bob"])
            #expect(claimed.errors.contains("same-person"), "\(claimed.errors)")
            let dave = try await access(fixture, "dave", "operator")
            let outsider = try await approve(dave)
            #expect(outsider.errors.contains("not-an-approver"), "\(outsider.errors)")
            let watcher = try await access(fixture, "carl", "viewer")
            #expect(try await approve(watcher).errors.contains("forbidden"))
            #expect(agents.orders.isEmpty)
            let status = try await Programs.run(["status"] + ada)
            #expect(status.output.contains("APPROVAL \(id): failover from node-1"))

            // It is there after a crash of the server, and then somebody else agrees.
            fixture.kill()
            try await fixture.start()
            _ = try await eventually("bob's approval starts the run") {
                let done = try await approve(bob)
                return done.exitCode == 0 && done.output.contains("has begun") ? true : nil
            }
            _ = try await eventually("the run is committed") {
                try await fixture.entries().contains {
                    $0["kind"]?.string == "run_finished"
                        && $0["body"]?["state"]?.string == "committed"
                } ? true : nil
            }
            let given = try await fixture.entries().first { $0["kind"]?.string == "approval_given" }
            #expect(given?["actor"]?.string == "bob")
            #expect(given?["body"]?["consent"]?["by"]?["address"]?.string == "127.0.0.1")
            #expect(given?["body"]?["consent"]?["reason"]?.string == "seen")
            try await expectPack(of: fixture, approval: id)
        }
    }

    /// What an auditor gets of an approved run: who asked, who agreed, from where, why, to what.
    private func expectPack(of fixture: ServeFixture, approval id: String) async throws {
        let started = try #require(
            try await fixture.entries().first { $0["kind"]?.string == "run_requested" })
        let run = try #require(started["body"]?["run_id"]?.string)
        let plan = try #require(started["body"]?["plan"]?["plan_id"]?.string)
        _ = try await eventually("the run's end is signed") {
            try await fixture.entries().last?["kind"]?.string == "checkpoint_signed" ? true : nil
        }
        let pack = fixture.folder.path + "/pack"
        let key = fixture.folder.path + "/audit.key"
        let made = try await Programs.run(
            "audit", "export", run, "--journal", fixture.journalFile, "--key", key, "--output",
            pack)
        #expect(made.exitCode == 0, "\(made.errors)")
        let checked = try await Programs.run("audit", "verify", pack, "--public-key", key + ".pub")
        #expect(checked.exitCode == 0, "\(checked.errors)")
        func file(_ name: String) throws -> JSONValue {
            try JSONDecoder().decode(
                JSONValue.self, from: Data(contentsOf: URL(fileURLWithPath: pack + "/" + name)))
        }
        let steps = try #require(try file("approvals.json")["approvals"]?.array)
        #expect(
            steps.map { $0["kind"]?.string } == [
                "approval_requested", "approval_given", "approval_ended",
            ])
        let asked = steps.first?["body"]?["approval"]
        #expect(asked?["approval_id"]?.string == id)
        #expect(asked?["plan"]?["plan_id"]?.string == plan)
        #expect(asked?["requested_by"]?["person"]?.string == "ada")
        #expect(asked?["requested_by"]?["address"]?.string == "127.0.0.1")
        #expect(asked?["reason"]?.string == "disk smells")
        let consent = steps.dropFirst().first?["body"]?["consent"]
        #expect(consent?["by"]?["person"]?.string == "bob")
        #expect(consent?["reason"]?.string == "seen")
        let claims = try file("L20-verification.json")["claims"]?.array ?? []
        let held = claims.filter { $0["holds"]?.bool == true }.compactMap { $0["claim"]?.string }
        #expect(held.contains("the plan that ran is the one that was approved"))
        #expect(held.contains("as many others approved it as were needed"))
        let readme = try String(contentsOfFile: pack + "/README.md", encoding: .utf8)
        #expect(readme.contains("approval_given by bob"), "\(readme)")
        #expect(readme.contains(": plan \(plan), from 127.0.0.1, \"disk smells\""), "\(readme)")
    }

    @Test func anAlertsLinkAnswersOnceAndOnlyByItsButton() async throws {
        try await withServer { fixture, agents in
            let receiver = try AlertReceiver(port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            let ada = try await access(fixture, "ada", "operator")
            let ask = ["failover", "--cluster", "demo", "--reason", "<b>smells</b>"]
            #expect(try await Programs.run(ask + ada).exitCode == 5)
            let event = try await eventually("the alert with its links") { () -> JSONValue? in
                for item in receiver.accepted {
                    let event = try JSONDecoder().decode(
                        JSONValue.self, from: Data(item.body.utf8))
                    if event["type"]?.string == "continuity.approval.requested" { return event }
                }
                return nil
            }
            let link = try #require(event["data"]?["approve_url"]?.string)
            let client = ContinuityHTTP.HTTPClient(maxConcurrent: 2)
            defer { client.shutdown() }
            let page = try await client.send(.init(url: link))
            let text = String(decoding: page.body, as: UTF8.self)
            #expect(page.status == 200 && text.contains("Approve as bob"), "\(text)")
            #expect(text.contains("&lt;b&gt;smells") && !text.contains("<b>"))
            #expect(agents.orders.isEmpty, "looking at it changes nothing")
            func press(_ url: String, _ body: String = "reason=seen+it") async throws -> Int {
                try await client.send(
                    .init(
                        method: "POST", url: url,
                        headers: ["content-type": "application/x-www-form-urlencoded"],
                        body: Array(body.utf8))
                ).status
            }
            // One character of what is signed, then of the signature.
            let dot = try #require(link.lastIndex(of: "."))
            for index in [link.index(before: dot), link.index(before: link.endIndex)] {
                var other = link
                other.replaceSubrange(index...index, with: link[index] == "A" ? "B" : "A")
                #expect(try await press(other) == 404)
            }
            #expect(try await press(link, "reason=") == 400)
            #expect(try await press(link) == 200)
            let given = try await fixture.entries().first { $0["kind"]?.string == "approval_given" }
            #expect(given?["actor"]?.string == "bob")
            #expect(given?["body"]?["consent"]?["reason"]?.string == "seen it")
            #expect(try await press(link) == 404, "it is used up")
        }
    }

    @Test func aPlanThatWouldBeAnotherOneIsVoidAndSaysSo() async throws {
        try await withServer { fixture, agents in
            let receiver = try AlertReceiver(port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            let ada = try await access(fixture, "ada", "operator")
            let bob = try await access(fixture, "bob", "operator")
            let asked = try await Programs.run(
                ["failover", "--cluster", "demo", "--reason", "disk smells"] + ada)
            let id = try approvalID(asked.output)
            agents.set("node-2", .stopped)
            let end = try await eventually("it is void") {
                try await fixture.entries().first { $0["kind"]?.string == "approval_ended" }
            }
            #expect(end["body"]?["outcome"]?.string == "void")
            let why = try #require(end["body"]?["reason"]?.string)
            #expect(why.contains("from node-1 to node-3"), "\(why)")
            let late = try await Programs.run(
                ["approve", id, "--cluster", "demo", "--reason", "seen"] + bob)
            #expect(late.exitCode != 0 && late.errors.contains("is void"), "\(late.errors)")
            _ = try await eventually("somebody is told") {
                receiver.accepted.contains {
                    $0.body.contains("continuity.approval.ended") && $0.body.contains("void")
                } ? true : nil
            }
            // The node that stopped is brought back; nothing is moved.
            #expect(!agents.orders.contains { [.promote, .demote, .fence].contains($0.name) })
        }
    }

    /// A page of another site may neither read, frame nor press anything; and what a browser keeps
    /// or passes on must not be the link, which is a credential.
    @Test func aBrowserIsToldToKeepToItself() async throws {
        try await withServer { fixture, _ in
            let receiver = try AlertReceiver(port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            let ada = try await access(fixture, "ada", "operator")
            let ask = ["failover", "--cluster", "demo", "--reason", "seen"]
            #expect(try await Programs.run(ask + ada).exitCode == 5)
            let link = try await eventually("the alert with its link") { () -> String? in
                for item in receiver.accepted {
                    let event = try JSONDecoder().decode(
                        JSONValue.self, from: Data(item.body.utf8))
                    if let link = event["data"]?["approve_url"]?.string { return link }
                }
                return nil
            }
            let base = "http://127.0.0.1:\(fixture.port)"
            let client = ContinuityHTTP.HTTPClient(maxConcurrent: 2)
            defer { client.shutdown() }
            // A page, a value, what nobody may ask without a name, and what is not there.
            let urls = [
                (link, 200), (base + "/health/live", 200),
                (base + "/api/v1/continuity/status", 401), (base + "/nowhere", 404),
            ]
            for (url, status) in urls {
                let answer = try await client.send(.init(url: url))
                #expect(answer.status == status, "\(url)")
                let policy = answer.headers["content-security-policy"] ?? ""
                for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
                    #expect(policy.contains(part), "\(url): \(policy)")
                }
                #expect(policy.contains("form-action 'self'") == (url == link))
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(answer.headers["referrer-policy"] == "no-referrer")
                #expect(answer.headers["x-frame-options"] == "DENY")
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(answer.headers["cross-origin-resource-policy"] == "same-origin")
                #expect(answer.headers["access-control-allow-origin"] == nil)
                #expect(answer.headers["set-cookie"] == nil, "nothing is kept in a browser")
            }
            func press(from site: String) async throws -> Int {
                try await client.send(
                    .init(
                        method: "POST", url: link,
                        headers: [
                            "content-type": "application/x-www-form-urlencoded",
                            "sec-fetch-site": site,
                        ], body: Array("reason=seen".utf8))
                ).status
            }
            #expect(try await press(from: "cross-site") == 403)
            #expect(try await press(from: "same-site") == 403, "a neighbour is another site")
            #expect(try await press(from: "same-origin") == 200)
        }
    }

    @Test func refusingIsForTheCommandLineAndForLinks() async throws {
        try await withServer { fixture, agents in
            let receiver = try AlertReceiver(port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            let ada = try await access(fixture, "ada", "operator")
            let bob = try await access(fixture, "bob", "operator")
            let ask = ["failover", "--cluster", "demo", "--reason", "disk smells"]
            func ended() async throws -> [JSONValue] {
                try await fixture.entries().filter { $0["kind"]?.string == "approval_ended" }
            }
            let first = try approvalID(try await Programs.run(ask + ada).output)
            let refused = try await Programs.run(
                ["refuse", first, "--cluster", "demo", "--reason", "not during the batch"] + bob)
            #expect(refused.exitCode == 0, "\(refused.errors)")
            var end = try #require(try await ended().last)
            #expect(end["body"]?["outcome"]?.string == "refused")
            #expect(end["body"]?["by"]?["person"]?.string == "bob")
            #expect(end["body"]?["by"]?["address"]?.string == "127.0.0.1")
            #expect(end["body"]?["reason"]?.string == "not during the batch")

            let second = try approvalID(try await Programs.run(ask + ada).output)
            let link = try await eventually("the alert with its links") { () -> String? in
                for item in receiver.accepted {
                    let event = try JSONDecoder().decode(
                        JSONValue.self, from: Data(item.body.utf8))
                    let data = event["data"]
                    guard data?["approval_id"]?.string == second else { continue }
                    if let link = data?["refuse_url"]?.string { return link }
                }
                return nil
            }
            let client = ContinuityHTTP.HTTPClient(maxConcurrent: 2)
            defer { client.shutdown() }
            let pressed = try await client.send(
                .init(
                    method: "POST", url: link,
                    headers: ["content-type": "application/x-www-form-urlencoded"],
                    body: Array("reason=not+now".utf8)))
            #expect(pressed.status == 200)
            end = try #require(try await ended().last)
            #expect(end["body"]?["approval_id"]?.string == second)
            #expect(end["body"]?["outcome"]?.string == "refused")
            #expect(end["body"]?["reason"]?.string == "not now")
            #expect(agents.orders.isEmpty)
        }
    }

    @Test func theGlassTakesTwoAdminsAndLeavesAReviewOpen() async throws {
        try await withServer { fixture, _ in
            let receiver = try AlertReceiver(port: fixture.alertPort, secret: ServeFixture.secret)
            let receiving = Task { try await receiver.run() }
            defer { receiving.cancel() }
            let ada = try await access(fixture, "ada", "admin")
            let bob = try await access(fixture, "bob", "admin")
            let operatorOnly = try await access(fixture, "carl", "operator")
            let ask = ["break-glass", "--cluster", "demo", "--reason", "nobody of sre answers"]
            #expect(try await Programs.run(ask + operatorOnly).errors.contains("forbidden"))
            let asked = try await Programs.run(ask + ada)
            let id = try approvalID(asked.output)
            let approve = ["approve", id, "--cluster", "demo", "--reason", "yes"]
            let second = try await Programs.run(approve + operatorOnly)
            #expect(second.errors.contains("not-an-admin"), "\(second.errors)")
            let done = try await Programs.run(approve + bob)
            #expect(done.output.contains("has begun"), "\(done.output)\(done.errors)")
            // Loud: critical alerts, received.
            _ = try await eventually("the glass is heard") {
                let critical = try receiver.accepted.map {
                    try JSONDecoder().decode(JSONValue.self, from: Data($0.body.utf8))
                }.filter { $0["data"]?["severity"]?.string == "critical" }
                    .compactMap { $0["type"]?.string }
                return Set(critical).isSuperset(of: [
                    "continuity.approval.requested", "continuity.break_glass.used",
                ]) ? true : nil
            }
            // Open until somebody closes it, over a crash too.
            fixture.kill()
            try await fixture.start()
            let status = try await Programs.run(["status"] + ada)
            let review = try #require(
                status.output.split(separator: " ").first { $0.hasPrefix("review-") })
            let close = [
                "review", "close", String(review), "--cluster", "demo", "--reason", "it was right",
            ]
            #expect(try await Programs.run(close + ada).errors.contains("same-person"))
            #expect(try await Programs.run(close + bob).exitCode == 0)
            #expect(try await !Programs.run(["status"] + ada).output.contains("REVIEW"))
        }
    }
}
