import ContinuityCore
import Foundation
import Testing

/// Plants every kind of secret and looks for them wherever people and programs may read.
@Suite(.serialized) struct SecretsTests {
    @Test func nothingSecretIsToldAnywhere() async throws {
        let webhook = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        let tsig = "dGhpcy1pcy10aGUtdHNpZy1zZWNyZXQtb2YtdGhlLXRlc3Q="
        let server = try await SecureServe(
            extra: """
                alerts:
                  - {name: oncall, url: "http://127.0.0.1:\(try freePort())/", secret_file: oncall.whsec}
                secrets:
                  dns-key: {file: dns.key, bound_to: "127.0.0.1:53"}
                """)
        try server.folder.write(webhook, to: "oncall.whsec", mode: 0o600)
        try server.folder.write(tsig, to: "dns.key", mode: 0o600)
        try await server.start(logLevel: "trace")
        let tokenFile = server.folder.path + "/admin.token"
        let made = try await server.continuity(
            "admin", "token", "create", "--name", "planted", "--role", "admin", "--out", tokenFile)
        #expect(made.exitCode == 0, "\(made.errors)")
        let token = try String(contentsOfFile: tokenFile, encoding: .utf8)
            .trimmingCharacters(in: .newlines)
        let guess = "a-wrong-token-that-somebody-typed"

        var told = made.output + made.errors
        func ask(_ token: String?, _ path: String, _ more: [String] = []) async throws {
            let header = token.map { ["--header", "Authorization: Bearer \($0)"] } ?? []
            let answer = try await server.curl(nil, server.api + path, header + more)
            told += answer.headers + answer.body + answer.errors
        }
        for path in ["/status", "/audit?limit=1000", "/tokens", "/whoami", "/nothing", "/audit/x"] {
            for each in [token, SecureServe.bootstrap, guess, nil] { try await ask(each, path) }
        }
        for path in ["/metrics", "/health/deep", "/\(token)"] {
            let answer = try await server.curl(
                nil, server.url + path, ["--header", "Authorization: Bearer \(token)"])
            told += answer.headers + answer.body
        }
        // Errors are where secrets get told: bodies that are wrong, around the secret.
        for body in [token, "{\"name\":\"\(token)", #"{"cluster_id":"\#(token)"}"#] {
            try await ask(token, "/drill", SecureServe.change(body))
            try await ask(token, "/tokens", SecureServe.change(body))
        }
        let listed = try await server.continuity("admin", "token", "list", "--json")
        let entries = try await server.continuity("admin", "audit", "list", "--json")
        told += listed.output + listed.errors + entries.output
        server.kill(SIGTERM)
        told += server.log
        for name in try FileManager.default.contentsOfDirectory(atPath: server.folder.path)
        where name.hasPrefix("journal.sqlite") {
            let bytes = try Data(
                contentsOf: URL(fileURLWithPath: server.folder.path + "/" + name))
            told += String(decoding: bytes, as: UTF8.self)
        }
        #expect(told.contains("token_created"), "it looks where it should")
        #expect(told.contains("continuity_http_requests_total{"), "and at the metrics")
        var planted = [
            "the bootstrap token": SecureServe.bootstrap, "the webhook's secret": webhook,
            "the TSIG key": tsig, "a wrong token": guess,
            "the webhook's key": String(webhook.dropFirst("whsec_".count)),
        ]
        for name in ["serve", "admin", "pki/ca-key"] {
            let pem = try String(contentsOfFile: server.file(name), encoding: .utf8)
            planted["the key of \(name)"] = String(pem.split(separator: "\n")[1])
        }
        for (what, secret) in planted {
            #expect(!told.contains(secret), "\(what) is told: \(line(told, secret))")
        }
        // Whoever sends a token as a cluster's name is told of no cluster of that name, and no one
        // else is; it stands in no log and no journal.
        let kept = told.replacing(#/no cluster '[^']*'/#, with: "")
        #expect(!kept.contains(token), "the token is told: \(line(kept, token))")
    }

    private func line(_ text: String, _ secret: String) -> String {
        String(text.split(separator: "\n").first { $0.contains(secret) } ?? "")
    }
}
