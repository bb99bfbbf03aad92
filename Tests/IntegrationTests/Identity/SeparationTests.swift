import ContinuityCore
import Foundation
import Testing

/// Two people are two people, whatever credentials they show: on a real `serve` with TLS.
@Suite(.serialized) struct SeparationTests {
    private struct Setup {
        let server: SecureServe

        func token(
            _ name: String, owner: String, role: String, by access: [String], _ more: String...
        ) async throws -> [String] {
            let file = "\(server.folder.path)/\(name).token"
            let made = try await Programs.run(
                [
                    "token", "create", "--name", name, "--owner", owner, "--role", role, "--out",
                    file,
                ] + more + access)
            try #require(made.exitCode == 0, "\(made.errors)")
            return self.access(file)
        }

        func access(_ file: String) -> [String] {
            ["--server", server.url, "--ca", server.ca, "--token-file", file]
        }

        func claim(
            _ access: [String], _ name: String, isAlone: Bool = true
        ) async throws -> [String] {
            let file = "\(server.folder.path)/\(name).token"
            let claimed = try await Programs.run(["token", "claim", "--out", file] + access)
            try #require(claimed.exitCode == 0, "\(claimed.errors)")
            #expect(claimed.output.contains("alone") && claimed.output.contains("has ended"))
            #expect(claimed.output.contains("still") != isAlone, "\(claimed.output)")
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
            #expect((mode as? NSNumber)?.intValue == 0o600)
            return self.access(file)
        }

        /// Asks until both nodes are known to be well.
        func ask(_ access: [String], _ verb: String, _ sequence: inout Int) async throws -> String {
            let deadline = ContinuousClock.now + .seconds(60)
            var asked: Programs.Result
            repeat {
                sequence += 1
                try await report(sequence)
                asked = try await Programs.run(
                    [verb, "--cluster", "orders", "--reason", "disk smells"] + access)
            } while ![0, 5].contains(asked.exitCode) && ContinuousClock.now < deadline
            return try #require(
                asked.output.split(whereSeparator: { " \n\"".contains($0) })
                    .first { $0.hasPrefix("approval-") }.map(String.init),
                "\(asked.output)\(asked.errors)")
        }

        func answer(
            _ verb: String, _ id: String, _ access: [String]
        ) async throws -> Programs.Result {
            try await Programs.run([verb, id, "--cluster", "orders", "--reason", "x"] + access)
        }

        func certificate(_ person: String) -> [String] {
            ["--server", server.url, "--ca", server.ca, "--certificate", server.file(person)]
        }

        /// Both nodes are well, and the second could take over.
        func report(_ sequence: Int) async throws {
            for (node, role) in [("node-1", "primary"), ("node-2", "secondary")] {
                let body = """
                    {"cluster_id":"orders","node_id":"\(node)","boot_id":"b",
                     "sequence":\(sequence),"highest_epoch":0,"peers":{},
                     "service":{"state":"running","role":"\(role)","lag_ms":0,"position_bytes":1,
                     "streaming":\(role == "secondary"),"detail":""}}
                    """
                func send(_ session: String) async throws -> SecureServe.Answer {
                    try await server.curl(
                        node, server.api + "/agent/report", "--header",
                        "Continuity-Session: \(session)", "--data", body)
                }
                let first = try await send("none")
                let answer = try await send(SecureServe.session(of: first))
                #expect(answer.status == 200, "\(answer)")
            }
        }
    }

    /// A fleet that uses tokens alone: from the first one to two people who can agree.
    @Test func whoClaimsTheirTokenIsOnePerson() async throws {
        let setup = try await manualServe()
        let server = setup.server
        // Nobody has a certificate but the agents.
        let config = server.folder.path + "/serve.yaml"
        let text = try String(contentsOfFile: config, encoding: .utf8)
        try server.folder.write(
            text.replacing(#/people:\n(  - .*\n)+/#, with: ""), to: "serve.yaml")
        try await server.start()
        _ = try await eventually("it warns") {
            server.log.contains("approvals cannot be given") ? true : nil
        }
        let first = setup.access(server.folder.path + "/token")
        let made = try await setup.token("ana-0", owner: "ana", role: "admin", by: first)
        let ana = try await setup.claim(made, "ana")
        let ben0 = try await setup.token("ben-0", owner: "ben", role: "operator", by: ana)
        let carl0 = try await setup.token("carl-0", owner: "carl", role: "operator", by: ana)
        func page(_ path: String) async throws -> String {
            let secret = try String(contentsOfFile: ana.last ?? "", encoding: .utf8)
            return try await server.curl(
                nil, server.url + path, "--header",
                "Authorization: Bearer \(secret.trimmingCharacters(in: .newlines))"
            ).body
        }
        func health() async throws -> String { try await page("/health/deep") }
        let me = try await Programs.run(["whoami"] + ben0)
        #expect(me.output.contains("known to ana as well"), "\(me.output)\(me.errors)")
        #expect(try await health().contains("continuity token claim"))

        // Ana knows both: they are one, and are told what helps.
        var sequence = 0
        var id = try await setup.ask(ben0, "failover", &sequence)
        let refused = try await setup.answer("approve", id, carl0)
        #expect(refused.errors.contains("same-person"), "\(refused.errors)")
        #expect(refused.errors.contains("continuity token claim"), "\(refused.errors)")
        #expect(try await setup.answer("refuse", id, ben0).exitCode == 0)

        let ben = try await setup.claim(ben0, "ben")
        let carl = try await setup.claim(carl0, "carl")
        for (old, new) in [(made, ana), (ben0, ben), (carl0, carl)] {
            let late = try await Programs.run(["whoami"] + old)
            #expect(late.exitCode != 0 && late.errors.contains("unauthorized"), "\(late.errors)")
            let now = try await Programs.run(["whoami"] + new)
            #expect(now.exitCode == 0 && !now.output.contains("approvals:"), "\(now.output)")
        }
        #expect(try await !health().contains("continuity token claim"))
        let listed = try await Programs.run(["token", "list"] + ana)
        #expect(listed.output.contains("ben alone, claimed from tok-"), "\(listed.output)")

        // As before after a restart, and now they are two.
        server.kill()
        try await server.start()
        #expect(try await Programs.run(["whoami"] + ben0).exitCode != 0)
        id = try await setup.ask(ben, "failover", &sequence)
        let done = try await setup.answer("approve", id, carl)
        #expect(done.output.contains("has begun"), "\(done.output)\(done.errors)")
        let journal = try JSONDecoder().decode(
            JSONValue.self, from: Data(try await page("/api/v1/continuity/audit?limit=1000").utf8))
        let claimed = (journal["entries"]?.array ?? []).filter {
            $0["kind"]?.string == "token_claimed"
        }
        #expect(claimed.map { $0["actor"]?.string } == ["ana", "ben", "carl"])
        #expect(claimed.allSatisfy { $0["body"]?["address"]?.string == "127.0.0.1" })
        let review = try await Programs.run("audit", "access", "--config", config)
        #expect(review.exitCode == 0, "\(review.output)")
        // Lines are wrapped.
        let words = review.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("claimed from tok-"), "\(review.output)")
    }

    @Test func onlyATokenOfTheJournalIsClaimed() async throws {
        let setup = try await manualServe()
        let server = setup.server
        try await server.start()
        let first = setup.access(server.folder.path + "/token")
        for access in [first, setup.certificate("admin")] {
            let out = server.folder.path + "/none.token"
            let claimed = try await Programs.run(["token", "claim", "--out", out] + access)
            #expect(claimed.exitCode != 0 && claimed.errors.contains("no-token"))
            #expect(!FileManager.default.fileExists(atPath: out))
        }
        // A file that cannot be written is told before the token has ended. A program's, of one
        // cluster and to look only, can be claimed like any other.
        let machine = try await setup.token(
            "prometheus", owner: "zoe", role: "viewer", by: setup.certificate("admin"),
            "--cluster", "orders")
        let nowhere = try await Programs.run(
            ["token", "claim", "--out", server.folder.path + "/no/such.token"] + machine)
        #expect(nowhere.exitCode != 0)
        #expect(try await Programs.run(["whoami"] + machine).exitCode == 0)
        let own = try await setup.claim(machine, "zoe")
        let me = try await Programs.run(["whoami"] + own)
        #expect(me.output.contains("viewer") && me.output.contains("clusters orders"))
        // Who has a certificate has a credential of their own: their tokens stay as they are known.
        let second = try await setup.token(
            "op", owner: "operator", role: "operator", by: setup.certificate("admin"))
        let claimed = try await setup.claim(second, "op-2", isAlone: false)
        let still = try await Programs.run(["whoami"] + claimed)
        #expect(still.output.contains("known to admin as well"), "\(still.output)")
        let review = try await Programs.run(
            "audit", "access", "--config", server.folder.path + "/serve.yaml")
        #expect(review.exitCode == 0, "\(review.output)")
    }

    private func manualServe() async throws -> Setup {
        let server = try await SecureServe()
        try server.folder.write(
            """
            policy_id: p
            strategy: manual
            approvals: {failover: 1}
            detection: {profile: relaxed}

            """, to: "policy.yaml")
        return Setup(server: server)
    }

    @Test func whoMadeATokenIsBehindItToo() async throws {
        let setup = try await manualServe()
        let server = setup.server
        try await server.start()
        let admin = setup.certificate("admin")
        let ben = try await setup.token("ben", owner: "ben", role: "operator", by: admin)
        let carl = try await setup.token("carl", owner: "carl", role: "admin", by: admin)
        // Carl's own, as the journal has it; but whoever knows his first token can make it too.
        let carls = try await setup.token("carls", owner: "carl", role: "operator", by: carl)
        let own = try await setup.token("own", owner: "admin", role: "admin", by: admin)
        let first = [
            "--server", server.url, "--ca", server.ca, "--token-file",
            server.folder.path + "/token",
        ]
        let dora = try await setup.token("dora", owner: "dora", role: "operator", by: first)
        var sequence = 0
        func ask(_ access: [String], _ verb: String = "failover") async throws -> String {
            try await setup.ask(access, verb, &sequence)
        }
        func answer(
            _ verb: String, _ id: String, _ access: [String]
        ) async throws -> Programs.Result {
            try await setup.answer(verb, id, access)
        }
        var id = try await ask(admin)
        for access in [ben, carl, carls, own, first, dora] {
            let refused = try await answer("approve", id, access)
            #expect(refused.errors.contains("same-person"), "\(access): \(refused.errors)")
        }
        // To refuse needs no second person.
        #expect(try await answer("refuse", id, ben).exitCode == 0)

        // The other way round, and two tokens of one maker.
        id = try await ask(ben)
        for access in [admin, carl, carls, first] {
            let refused = try await answer("approve", id, access)
            #expect(refused.errors.contains("same-person"), "\(refused.errors)")
        }
        #expect(try await answer("refuse", id, ben).exitCode == 0)

        // The glass takes two admins who are two people.
        id = try await ask(admin, "break-glass")
        #expect(try await answer("approve", id, carl).errors.contains("same-person"))
        #expect(try await answer("refuse", id, admin).exitCode == 0)

        // A certificate is its owner's alone.
        id = try await ask(ben)
        let done = try await answer("approve", id, setup.certificate("operator"))
        #expect(done.output.contains("has begun"), "\(done.output)\(done.errors)")
        let asked = try await server.entries().last { $0["kind"]?.string == "approval_requested" }
        #expect(
            asked?["body"]?["approval"]?["requested_by"]?["known_by"]
                == .array([.string("admin")]))
    }
}
