import ContinuityBroker
import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Testing

/// HTTP with a planted secret and a host that echoes everything.
@Suite("Secrets and addresses")
struct SecretTests {
    static let secret = "pl4nted/s3cret+value?"

    private func grant(_ port: Int, _ extra: String = "allow_private: true") -> String {
        """
        {http: [{hosts: ["http://127.0.0.1:\(port)"], methods: [GET, POST], \
        paths: ["/echo/*", "/redirect/*"], \(extra)}], secrets: [token]}
        """
    }

    @Test("an echoing host cannot give a secret back, in no usual form")
    func echo() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness(
                secrets: [("token", Self.secret, "127.0.0.1:\(port)")])
            defer { harness.remove() }
            let outcome = try await harness.run(
                """
                local secret = ctx.secret("token")
                local a = ctx.http.post("http://127.0.0.1:\(port)/echo/a", {
                    headers = { authorization = { "Bearer ", secret } },
                    json = { key = secret, nested = { { secret } } },
                })
                local b = ctx.http.post("http://127.0.0.1:\(port)/echo/b", { body = { "k=", secret } })
                ctx.log(tostring(secret), a.body, a.headers["x-echo"])
                local looked = pcall(function() return secret.name end)
                local changed = pcall(setmetatable, secret, {})
                return { a = a, b = b, looked = looked, changed = changed }
                """, grant: grant(port))
            #expect(outcome.status == .ok, "\(outcome)")
            for name in ["a", "b"] {
                #expect(
                    outcome.value[name] == [
                        "status": 200, "headers": [:], "body": "",
                        "withheld": "the answer held the secret 'token'",
                    ])
            }
            #expect(outcome.value["looked"] == false && outcome.value["changed"] == false)
            let everything =
                String(decoding: try CanonicalJSON.bytes(encoding: outcome), as: UTF8.self)
                + "\(outcome)\(harness.port.intents)\(harness.secrets)"
            for form in [
                Self.secret, Data(Self.secret.utf8).base64EncodedString(), "pl4nted", "s3cret",
            ] { #expect(!everything.contains(form), "\(form)") }
            #expect(everything.contains("$secret"))
        }
    }

    @Test(
        "a host that sends a secret back in a spelling of its own gives the script its status alone"
    )
    func forms() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness(
                secrets: [("token", Self.secret, "127.0.0.1:\(port)")])
            defer { harness.remove() }
            let hex = Self.secret.utf8.map { String($0, radix: 16) }.joined()
            // As a host would that encodes what it was given, also within a longer text.
            for form in [
                Self.secret + "\u{301}", "\u{200B}" + Self.secret, hex, "pl4nted%2fs3cret+value?",
                Data(("u:" + Self.secret).utf8).base64EncodedString(),
            ] {
                let outcome = try await harness.run(
                    "local r = ctx.http.post('http://127.0.0.1:\(port)/echo/x', { body = '\(form)' })"
                        + " return r", grant: grant(port))
                #expect(outcome.value["status"] == 200, "\(outcome)")
                #expect(outcome.value["withheld"] != nil && outcome.value["body"] == "", "\(form)")
            }
            let fine = try await harness.run(
                "local r = ctx.http.post('http://127.0.0.1:\(port)/echo/x', { body = 'planted' })"
                    + " return r", grant: grant(port))
            #expect(fine.value["withheld"] == nil, "\(fine)")
            #expect(fine.value["body"]?.string?.contains("planted") == true, "\(fine)")
            for header in ["Range", "accept-encoding", "TE"] {
                let refused = try await harness.run(
                    "local _, _, code = ctx.http.get('http://127.0.0.1:\(port)/echo/x', "
                        + "{ headers = { ['\(header)'] = 'x' } }) return { code = code }",
                    grant: grant(port))
                #expect(refused.value["code"] == "invalid", "\(header): \(refused)")
            }
        }
    }

    @Test("what an agent says is withheld where it holds a secret, and an effect stays done")
    func agents() async throws {
        for (detail, isSecret) in [("key is \(Self.secret)!", true), ("all is well", false)] {
            let harness = try BrokerHarness(
                secrets: [("token", Self.secret, "example.org")], port: TestPort(detail: detail))
            defer { harness.remove() }
            let outcome = try await harness.run(
                """
                local read, message, code = ctx.agent.command("db-1", "status")
                local done = ctx.agent.command("db-1", "prepare")
                return { read = read or "none", message = message or "none", code = code or "none",
                    done = done }
                """, grant: "{agent: {commands: [status, prepare]}}")
            #expect(outcome.status == .ok, "\(outcome)")
            #expect(!"\(outcome)".contains("s3cret"))
            #expect(outcome.value["code"] == (isSecret ? "withheld" : "none"), "\(outcome)")
            #expect(
                outcome.value["done"]?["detail"] == (isSecret ? "" : "all is well"), "\(outcome)")
        }
    }

    @Test("a secret goes to its destination and nowhere else")
    func destination() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness(secrets: [("token", Self.secret, "example.org")])
            defer { harness.remove() }
            let outcome = try await harness.run(
                """
                return nil, select(2, ctx.http.get("http://127.0.0.1:\(port)/echo/a", {
                    headers = { authorization = ctx.secret("token") } }))
                """, grant: grant(port))
            #expect(outcome.status == .denied, "\(outcome)")
            #expect(outcome.error?.contains("is bound to example.org") == true)
            #expect(!"\(outcome)".contains(Self.secret))
        }
    }

    @Test("the script cannot choose the host by a secret, nor use one that is not granted")
    func notGranted() async throws {
        let harness = try BrokerHarness(secrets: [
            ("token", Self.secret, "a"), ("other", "xxxx", "a"),
        ])
        defer { harness.remove() }
        let outcome = try await harness.run(
            """
            local _, _, host = ctx.http.get({ "http://", ctx.secret("token") })
            local _, _, other = ctx.secret("other")
            local _, _, made = ctx.http.get("http://127.0.0.1:1/echo/", { headers = { a = { ["$secret"] = "other" } } })
            return { host = host, other = other, made = made }
            """, grant: grant(1))
        #expect(
            outcome.value == ["host": "invalid", "other": "denied", "made": "denied"],
            "\(outcome)")
    }

    @Test("private addresses need a grant; metadata and link-local addresses are never reached")
    func addresses() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness()
            defer { harness.remove() }
            let closed = try await harness.run(
                "local _, _, code = ctx.http.get('http://127.0.0.1:\(port)/echo/a') return { code = code }",
                grant: grant(port, "redirects: false"))
            #expect(closed.value["code"] == "address_refused", "\(closed)")
            // A name that resolves to this machine is no way around: the address is judged.
            let named = try await harness.run(
                "local _, _, code = ctx.http.get('http://localhost:\(port)/echo/a') return { code = code }",
                grant: "{http: [{hosts: ['http://localhost:\(port)'], paths: ['/*']}]}")
            #expect(named.value["code"] == "address_refused", "\(named)")
            for address in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"] {
                let outcome = try await harness.run(
                    "local _, _, code = ctx.http.get('http://\(address)/x') return { code = code }",
                    grant:
                        "{http: [{hosts: ['http://\(address)'], paths: ['/*'], allow_private: true}]}"
                )
                #expect(outcome.value["code"] == "address_refused", "\(address): \(outcome)")
            }
        }
    }

    @Test("redirects only where granted, and each hop under the grant")
    func redirects() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness()
            defer { harness.remove() }
            func run(_ target: String, _ extra: String) async throws -> HookOutcome {
                try await harness.run(
                    """
                    local r, _, code = ctx.http.get("http://127.0.0.1:\(port)/redirect/x?\(target)")
                    return { status = r and r.status, code = code }
                    """, grant: grant(port, extra))
            }
            let off = try await run("/echo/b", "allow_private: true")
            #expect(off.value["status"] == 302, "\(off)")
            let on = try await run("/echo/b", "allow_private: true, redirects: true")
            #expect(on.value["status"] == 200, "\(on)")
            let out = try await run("/secret", "allow_private: true, redirects: true")
            #expect(out.value["code"] == "denied", "\(out)")
            let away = try await run(
                "http://169.254.169.254/latest", "allow_private: true, redirects: true")
            #expect(away.value["code"] == "denied", "\(away)")
        }
    }

    @Test("paths, methods and hosts outside the grant are denied, and tricks with URLs invalid")
    func grants() async throws {
        let harness = try BrokerHarness()
        defer { harness.remove() }
        for (call, code) in [
            ("get('http://127.0.0.1:7/other')", "denied"),
            ("get('http://127.0.0.1:8/echo/')", "denied"),
            ("put('http://127.0.0.1:7/echo/a')", "denied"),
            ("get('https://127.0.0.1:7/echo/')", "denied"),
            ("get('http://127.0.0.1:7/echo/../other')", "invalid"),
            ("get('http://127.0.0.1:7/echo/%2e%2e/other')", "invalid"),
            ("get('http://127.0.0.1:7@evil.test/echo/')", "invalid"),
            ("get('http://evil.test#@127.0.0.1:7/echo/')", "invalid"),
            ("get('file:///etc/passwd')", "invalid"),
            ("get('http://127.1:7/echo/')", "invalid"),
            ("get('http://0x7f000001:7/echo/')", "invalid"),
            ("get('http://2130706433:7/echo/')", "invalid"),
            ("get('http://127.0.0.1:7/echo/', { headers = { host = 'x' } })", "invalid"),
        ] {
            let outcome = try await harness.run(
                "local _, _, code = ctx.http.\(call) return { code = code }", grant: grant(7))
            #expect(outcome.value["code"] == .string(code), "\(call): \(outcome)")
        }
    }

    @Test(
        "no spelling of a dot segment passes a grant of a path",
        arguments: [
            "..;/x", "..%3b/x", "..%3B/x", "%252e%252e/x", "%25252e%25252e/x", "..%00", "..%00/x",
            "%2e%2e/x", ".%2e/x", "..%20/x", "%20../x", "..%09/x", "%c0%ae%c0%ae/x", "..%252f/x",
            "a%2f..%2f..", "a%5c..", "..;a=b/x", "%2e%2e%3bx/y", "%ef%bc%8e%ef%bc%8e/x",
            "%e2%80%a5/x", "./x", ".;x/y", "a//b", "a%0a", "%", "%2", "%zz", "a/..",
        ])
    func dotSegments(path: String) async throws {
        let harness = try BrokerHarness()
        defer { harness.remove() }
        let outcome = try await harness.run(
            "local _, _, code = ctx.http.get('http://127.0.0.1:7/echo/\(path)') "
                + "return { code = code }", grant: grant(7))
        #expect(outcome.value["code"] == "invalid", "\(outcome)")
    }

    @Test(
        "usual paths pass",
        arguments: [
            "a.b", "...", "a%20b", "..a", "a..", "%C3%A9", "a;v=1", "x%3Fy", ".hidden", "a/b/",
        ])
    func plainPaths(path: String) throws {
        let url = try #require(RequestURL("https://example.org/v1/\(path)?q=../x"))
        #expect(url.text == "https://example.org/v1/\(path)?q=../x")
    }

    @Test("an intent is journaled before an effect leaves; in a drill nothing leaves")
    func drill() async throws {
        try await withEchoServer { port in
            let harness = try BrokerHarness()
            defer { harness.remove() }
            let body = """
                local read = ctx.http.get("http://127.0.0.1:\(port)/echo/r")
                local effect = ctx.http.post("http://127.0.0.1:\(port)/echo/w", { body = "x" })
                return { read = read.status, effect = effect.body }
                """
            let drill = try await harness.run(body, grant: grant(port), mode: .drill)
            #expect(drill.value == ["read": 200, "effect": "{}"], "\(drill)")
            #expect(drill.effects.first?["would_do"] == true && harness.port.intents.isEmpty)
            let live = try await harness.run(body, grant: grant(port))
            #expect(live.value["effect"]?.string?.hasPrefix("POST /echo/w") == true, "\(live)")
            #expect(harness.port.intents.map(\.sequence) == [2])
        }
    }

    @Test("an effect that would be refused in earnest is refused in a drill")
    func rehearsal() async throws {
        let harness = try BrokerHarness(secrets: [("key", "a-secret-value", "elsewhere.test")])
        defer { harness.remove() }
        func code(_ call: String, _ grant: String, _ mode: LiveBroker.Mode) async throws -> String?
        {
            try await harness.run(
                "local _, _, code = \(call)\nreturn { code = code or 'none' }", grant: grant,
                mode: mode
            ).value["code"]?.string
        }
        let post = #"ctx.http.post("http://127.0.0.1:9/x", { body = "x" })"#
        let secret = #"""
            ctx.http.post("http://127.0.0.1:9/x", { headers = { key = { ctx.secret("key") } } })
            """#
        let unknown = #"ctx.http.post("https://no-such-host.invalid/x", { body = "x" })"#
        let tsig =
            #"ctx.dns.update({ zone = "a.test", name = "db.a.test", type = "A", data = {"192.0.2.1"} })"#
        let closed = "{http: [{hosts: ['http://127.0.0.1:9'], methods: [POST], paths: ['/*']}]}"
        let open = closed.replacing("paths:", with: "allow_private: true, paths:")
            .replacing("}]}", with: "}], secrets: [key]}")
        let name = "{http: [{hosts: [no-such-host.invalid], methods: [POST], paths: ['/*']}]}"
        let zone = """
            {dns: [{server: '127.0.0.1:9', zones: [a.test], records: [db.a.test], types: [A], \
            tsig: {name: k, secret: key}}]}
            """
        for mode in [LiveBroker.Mode.live, .drill] {
            #expect(try await code(post, closed, mode) == "address_refused", "\(mode)")
            #expect(try await code(secret, open, mode) == "denied", "\(mode)")
            #expect(try await code(unknown, name, mode) == "unreachable", "\(mode)")
            #expect(try await code(tsig, zone, mode) == "denied", "\(mode)")
        }
        // What only the other side can tell stays open: nothing was connected to.
        #expect(try await code(post, open, .live) == "unreachable")
        #expect(try await code(post, open, .drill) == "none")
    }
}
