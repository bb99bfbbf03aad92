import ContinuityCore
import Foundation
import Testing

/// The quarterly review of a real `serve`: who could do what, who did, who never used it.
@Suite(.serialized) struct AccessReviewTests {
    @Test func itKnowsWhoCouldWhoDidAndWhoNeverDid() async throws {
        let server = try await SecureServe()
        try await server.start()
        func token(_ name: String, _ more: String...) async throws -> String {
            let file = "\(server.folder.path)/\(name).token"
            let made = try await Programs.run(
                ["token", "create", "--name", name, "--out", file] + more + [
                    "--server", server.url, "--certificate", server.file("admin"), "--ca",
                    server.ca,
                ])
            try #require(made.exitCode == 0, "\(made.errors)")
            return String(try #require(made.output.split(separator: " ").first))
        }
        let used = try await token("used", "--owner", "ben", "--role", "operator")
        let unused = try await token("unused", "--owner", "ben")
        let revoked = try await token("gone", "--owner", "carl", "--cluster", "orders")
        _ = try await server.continuity("admin", "token", "revoke", revoked)
        let ben = [
            "--server", server.url, "--ca", server.ca, "--token-file",
            server.folder.path + "/used.token",
        ]
        let pause = ["pause", "--cluster", "orders", "--reason", "batch"]
        let paused = try await Programs.run(pause + ["--for", "60s"] + ben)
        #expect(paused.exitCode == 0, "\(paused.errors)")
        // The viewer only looks; often, and it is written down once.
        for _ in 0..<3 {
            #expect(try await server.continuity("viewer", "status").exitCode == 0)
        }

        let config = server.folder.path + "/serve.yaml"
        let table = try await Programs.run("audit", "access", "--config", config)
        #expect(table.exitCode == 0, "\(table.errors)\(table.output)")
        let result = try await Programs.run("audit", "access", "--config", config, "--json")
        let report = try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        func person(_ name: String) throws -> JSONValue {
            try #require(
                report["people"]?.array?.first { $0["name"]?.string == name }, "\(result.output)")
        }
        func findings(_ name: String) throws -> [String] {
            try person(name)["findings"]?.array?.compactMap(\.string) ?? []
        }
        #expect(try findings("admin") == [])
        #expect(try person("admin")["actions"]?["token_created"]?.int == 3)
        #expect(try findings("viewer") == [])
        #expect(try findings("operator").contains("never used"))
        #expect(try findings("bootstrap").contains("never used"))
        #expect(try findings("ben") == ["token \(unused) never used"])
        #expect(try person("ben")["actions"]?["pause_started"]?.int == 1)
        let grants = try #require(try person("ben")["grants"]?.array)
        #expect(grants.map { $0["known_by"]?.array } == [[.string("admin")], [.string("admin")]])
        #expect(grants.first { $0["credential"]?.string == "token \(used)" }?["role"] == "operator")
        #expect(try findings("carl") == ["never used", "token \(revoked) revoked"])
        let uses = try await server.entries().filter { $0["kind"]?.string == "credential_used" }
        #expect(uses.filter { $0["actor"]?.string == "viewer" }.count == 1)
        #expect(uses.contains { $0["body"]?["credential"]?.string == "token \(used)" })

        // Rights that the configuration does not give any more, and yet they were used.
        let text = try String(contentsOfFile: config, encoding: .utf8)
        try server.folder.write(
            text.replacing("  - {name: admin, role: admin}\n", with: ""), to: "serve.yaml")
        let later = try await Programs.run("audit", "access", "--config", config)
        #expect(later.exitCode == 1)
        #expect(later.output.contains("NOT GRANTED"), "\(later.output)")
    }
}
