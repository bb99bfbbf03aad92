import ContinuityAPI
import ContinuityCore
import Foundation
import Testing

/// Who may do what: every cell of the table, asked of a real server.
@Suite(.serialized) struct AccessTests {
    private enum Who: String, CaseIterable {
        case nobody, agent, viewer, `operator`, admin

        var certificate: String? {
            switch self {
            case .nobody: nil
            case .agent: "node-1"
            default: rawValue
            }
        }

        func may(_ need: APIOperation.Need) -> Bool {
            switch (need, self) {
            case (.anyone, _): true
            case (.agent, let who): who == .agent
            case (.role, .nobody), (.role, .agent): false
            case (.role(let least), let who):
                AccessRole(rawValue: who.rawValue).map { least <= $0 } ?? false
            }
        }
    }

    @Test func everyCellHolds() async throws {
        let server = try await SecureServe()
        try await server.start()
        for operation in APIOperation.allCases {
            let rule = operation.rule
            let path = rule.path.replacing(#/\{[a-z_]+\}/#, with: "1")
            for who in Who.allCases {
                // An empty body asks for nothing: whoever may gets as far as being told so.
                // A stream has no end that would be worth waiting for.
                let more =
                    rule.method == "POST"
                    ? SecureServe.change() : operation == .events ? ["--max-time", "1"] : []
                let answer = try await server.curl(who.certificate, server.url + path, more)
                let wasLet = answer.status != 401 && answer.status != 403 && answer.status != 0
                #expect(
                    wasLet == who.may(rule.need),
                    "\(rule.method) \(path) as \(who.rawValue): \(answer.status) \(answer.body)")
                if !wasLet { #expect(answer.problem != nil) }
                #expect(answer.status < 500)
            }
        }
        let missing = try await server.curl("admin", server.api + "/nothing")
        #expect(missing.status == 404 && missing.problem == "no-such-route", "\(missing)")
        let method = try await server.curl("admin", server.api + "/failover", "--request", "PUT")
        #expect(method.problem != nil, "\(method)")
    }

    @Test func theDocumentedTableIsTheDeclaredOne() throws {
        let file = Programs.repository.appending(path: "docs/security/access.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(
            text.contains(AccessTable.markdown),
            "write the output of 'continuity access' into docs/security/access.md")
    }

    private struct CommandTree: Decodable {
        struct Command: Decodable {
            var commandName: String
            var subcommands: [Command]?
            var shouldDisplay: Bool?
        }
        var command: Command
    }

    @Test func everyCommandIsInTheTable() async throws {
        let dump = try await Programs.run("--experimental-dump-help")
        let tree = try JSONDecoder().decode(CommandTree.self, from: Data(dump.output.utf8))
        var leaves: Set<String> = []
        func walk(_ command: CommandTree.Command, _ path: String) {
            let children = (command.subcommands ?? []).filter { $0.commandName != "help" }
            if children.isEmpty { leaves.insert(path) }
            for child in children {
                walk(child, path.isEmpty ? child.commandName : "\(path) \(child.commandName)")
            }
        }
        walk(tree.command, "")
        let declared = Set(
            APIOperation.allCases.flatMap(\.rule.commands) + AccessTable.localCommands)
        #expect(leaves == declared)
    }

    // MARK: Tokens

    private func token(
        _ server: SecureServe, _ name: String, _ more: String...
    ) async throws -> String {
        let file = server.folder.path + "/" + name + ".token"
        let made = try await Programs.run(
            ["token", "create", "--name", name, "--out", file] + more
                + [
                    "--server", server.url, "--certificate", server.file("admin"), "--ca",
                    server.ca,
                ])
        try #require(made.exitCode == 0, "\(made.errors)")
        return file
    }

    private func read(_ file: String) throws -> String {
        try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    @Test func tokensActForTheirOwnerUntilTheyEnd() async throws {
        let server = try await SecureServe()
        try await server.start()
        let file = try await token(server, "deploy", "--owner", "ben", "--role", "operator")
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
        let secret = try read(file)
        func ask(_ path: String, _ more: [String] = []) async throws -> SecureServe.Answer {
            try await server.curl(
                nil, server.api + path, ["--header", "Authorization: Bearer \(secret)"] + more)
        }
        let me = try await ask("/whoami")
        #expect(me.body.contains(#""name":"ben""#) && me.body.contains(#""role":"operator""#))
        #expect(try await ask("/tokens").status == 403, "operators make no tokens")
        let drill = try await ask(
            "/drill", SecureServe.change(#"{"cluster_id":"orders","requested_by":"mallory"}"#))
        #expect(drill.status == 202 || drill.status == 409, "\(drill)")
        // The journal holds the digest, and after a restart the token holds still.
        server.kill()
        try await server.start()
        #expect(try await ask("/whoami").status == 200)
        let entries = try await server.entries()
        let created = try #require(entries.first { $0["kind"]?.string == "token_created" })
        #expect(created["actor"]?.string == "admin")
        #expect(created["body"]?["token"]?["owner"]?.string == "ben")
        #expect(!entries.contains { $0["actor"]?.string == "mallory" })
        let id = created["body"]?["token"]?["token_id"]?.string ?? ""
        let listed = try await server.continuity("admin", "token", "list")
        #expect(listed.output.contains(id) && listed.output.contains("valid"))
        #expect(!listed.output.contains(secret))
        let revoked = try await server.continuity("admin", "token", "revoke", id)
        #expect(revoked.exitCode == 0, "\(revoked.errors)")
        #expect(try await ask("/whoami").status == 401)
        server.kill()
        try await server.start()
        #expect(try await ask("/whoami").status == 401)
    }

    @Test func aTokenIsBoundToItsClusters() async throws {
        let server = try await SecureServe()
        try await server.start()
        let file = try await token(
            server, "orders-only", "--role", "admin", "--cluster", "orders")
        func ask(_ path: String, _ more: [String] = []) async throws -> SecureServe.Answer {
            try await server.curl(
                nil, server.api + path,
                ["--header", "Authorization: Bearer \(try read(file))"] + more)
        }
        let status = try await ask("/status")
        #expect(status.body.contains(#""cluster_id":"orders""#))
        #expect(!status.body.contains(#""cluster_id":"other""#))
        let journal = try await ask("/audit?limit=1000")
        #expect(!journal.body.contains(#""cluster_id":"other""#))
        #expect(!journal.body.contains("token_created"), "what is about no cluster is hidden")
        for (path, body) in [
            ("/failover", #"{"cluster_id":"other"}"#), ("/drill", #"{"cluster_id":"other"}"#),
            ("/tokens", #"{"name":"x","role":"admin","expires_in_s":600}"#),
            ("/hooks/reload", "{}"),
        ] {
            let answer = try await ask(path, SecureServe.change(body))
            #expect(answer.status == 403 && answer.problem == "other-cluster", "\(answer)")
        }
        let own = try await ask("/failover", SecureServe.change(#"{"cluster_id":"orders"}"#))
        #expect(own.status != 403, "\(own)")
    }

    @Test func theFirstAdminHasTheBootstrapToken() async throws {
        let server = try await SecureServe()
        try await server.start()
        let me = try await server.curl(
            nil, server.api + "/whoami", "--header",
            "Authorization: Bearer \(SecureServe.bootstrap)")
        #expect(me.body.contains(#""name":"bootstrap""#), "\(me)")
        // It is a person's here: no machine gets by with it.
        let report = try await server.curl(
            nil, server.api + "/agent/report", "--header",
            "Authorization: Bearer \(SecureServe.bootstrap)", "--data", "{}")
        #expect(report.status == 403, "\(report)")
    }
}
