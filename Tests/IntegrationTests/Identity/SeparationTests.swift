import ContinuityCore
import Foundation
import Testing

/// Two people are two people, whatever credentials they show: on a real `serve` with TLS.
@Suite(.serialized) struct SeparationTests {
    private struct Setup {
        let server: SecureServe

        func token(
            _ name: String, owner: String, role: String, by access: [String]
        ) async throws -> [String] {
            let file = "\(server.folder.path)/\(name).token"
            let made = try await Programs.run(
                [
                    "token", "create", "--name", name, "--owner", owner, "--role", role, "--out",
                    file,
                ] + access)
            try #require(made.exitCode == 0, "\(made.errors)")
            return ["--server", server.url, "--ca", server.ca, "--token-file", file]
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

    @Test func whoMadeATokenIsBehindItToo() async throws {
        let server = try await SecureServe()
        try server.folder.write(
            """
            policy_id: p
            strategy: manual
            approvals: {failover: 1}
            detection: {profile: relaxed}

            """, to: "policy.yaml")
        try await server.start()
        let setup = Setup(server: server)
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
            // Until both nodes are known to be well.
            let asked = try await eventually("it is asked for") { () -> Programs.Result? in
                sequence += 1
                try await setup.report(sequence)
                let asked = try await Programs.run(
                    [verb, "--cluster", "orders", "--reason", "disk smells"] + access)
                return asked.exitCode == 0 ? asked : nil
            }
            return try #require(
                asked.output.split(whereSeparator: { " \n\"".contains($0) })
                    .first { $0.hasPrefix("approval-") }.map(String.init), "\(asked.output)")
        }
        func answer(
            _ verb: String, _ id: String, _ access: [String]
        ) async throws -> Programs.Result {
            try await Programs.run([verb, id, "--cluster", "orders", "--reason", "x"] + access)
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
