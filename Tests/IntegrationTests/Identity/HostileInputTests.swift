import ContinuityAPI
import ContinuityCore
import Foundation
import Glibc
import Testing

/// What agents and strangers send, at its worst: `serve` goes on, and nobody else pays for it.
@Suite(.serialized) struct HostileInputTests {
    private static let extremes = [
        "-9223372036854775808", "-1", "0", "9007199254740991", "9007199254740992",
        "9007199254740993", "9223372036854775807", "9223372036854775808", "1e400", "-0",
        "1.5",
    ]

    /// Every whole number of every request, by its path in the documented example.
    private func requests() throws -> [(operation: APIOperation, path: [String])] {
        var found: [(APIOperation, [String])] = []
        for operation in APIOperation.allCases {
            guard let body = operation.description.body else { continue }
            for path in body.schema.integerPaths { found.append((operation, path)) }
        }
        return found
    }

    @Test func noNumberOfARequestEndsTheServer() async throws {
        let fixture = try ServeFixture(
            policy: "policy_id: p\nstrategy: manual\napprovals: {failover: 0}\n")
        try await fixture.start()
        try await fixture.report(primary: .running)
        let places = try requests()
        #expect(places.count > 20)
        var answered: [Int: Int] = [:]
        for (operation, path) in places {
            guard let example = operation.description.body?.example else { continue }
            let route = operation.rule.path.replacing("/api/v1/continuity/", with: "")
                .replacing("{id}", with: "approval-0123456789abcdef")
            guard !route.contains("{") else { continue }
            for number in Self.extremes {
                let text = String(
                    decoding: CanonicalJSON.bytes(example.placing("\u{1}", at: path)), as: UTF8.self
                ).replacing("\"\\u0001\"", with: number).replacing("orders", with: "demo")
                let answer = try await fixture.send(
                    operation.rule.method, route, body: Array(text.utf8))
                answered[answer.status, default: 0] += 1
                #expect(
                    answer.status < 500,
                    "\(operation) \(path.joined(separator: "/")) = \(number): \(answer.json)")
            }
        }
        #expect(answered[400] ?? 0 > 50, "\(answered)")
        #expect(fixture.serve?.isRunning == true, "\(fixture.log)")
        // What was accepted is in the journal: the next start reads it.
        fixture.kill()
        try await fixture.start()
        try await fixture.report(primary: .running)
    }

    /// Answered or refused, and the next order goes out all the same: the report that ended
    /// `serve` for everybody, again after each start.
    @Test func extremeReportsEndNothing() async throws {
        let fixture = try ServeFixture(
            policy: "policy_id: p\nstrategy: manual\napprovals: {failover: 0}\n")
        try await fixture.start()
        let agents = PlayedAgents(fixture)
        try await agents.live {
            _ = try await eventually("all is well") {
                let status = try await fixture.send("GET", "status").json
                return status["clusters"]?.array?.first?["state"]?.string == "HEALTHY"
                    ? true : nil
            }
            for (index, number) in Self.extremes.enumerated() {
                for name in [
                    "clock_ms", "sequence", "highest_epoch", "position_bytes", "lag_ms", "seq",
                ] {
                    var fields = [
                        "clock_ms": "1", "sequence": "\(index + 1)", "highest_epoch": "0",
                        "position_bytes": "1", "lag_ms": "1", "seq": "1",
                    ]
                    fields[name] = number
                    let body = """
                        {"cluster_id":"demo","node_id":"node-3","boot_id":"x\(index)\(name)",
                         "sequence":\(fields["sequence"] ?? ""),"highest_epoch":\(fields["highest_epoch"] ?? ""),
                         "clock_ms":\(fields["clock_ms"] ?? ""),"peers":{"node-1":"reachable"},
                         "witness":{"seq":\(fields["seq"] ?? ""),"hash":"\(String(repeating: "0", count: 64))"},
                         "service":{"detail":"","role":"secondary","state":"running","streaming":true,
                         "position_bytes":\(fields["position_bytes"] ?? ""),"lag_ms":\(fields["lag_ms"] ?? "")}}
                        """
                    let answer = try await fixture.send(
                        "POST", "agent/report", body: Array(body.utf8))
                    #expect(answer.status < 500, "\(name) = \(number): \(answer.json)")
                }
            }
            let moved = try await fixture.send(
                "POST", "switchover",
                body: Array(
                    #"{"cluster_id":"demo","target_node_id":"node-2","reason":"x"}"#.utf8))
            #expect(moved.status == 202 || moved.status == 409, "\(moved.json)")
            _ = try await eventually("orders go out, and the server answers") {
                try await fixture.send("GET", "status").status == 200 ? true : nil
            }
        }
        #expect(fixture.serve?.isRunning == true, "\(fixture.log)")
    }

    /// 400 reports with a claim of their own each: a few entries, none of them long.
    @Test func oneAgentDoesNotDecideHowMuchIsJournaled() async throws {
        let fixture = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        try await fixture.start()
        try await fixture.report(primary: .running)
        let before = try await fixture.entries().count
        for number in 1...400 {
            let report = NodeReport(
                clusterID: "demo", nodeID: "node-3", bootID: "w", sequence: Int64(number),
                highestEpoch: 0,
                service: ServiceReport(
                    state: .running, role: number % 2 == 0 ? .primary : .secondary,
                    streaming: number % 3 == 0,
                    detail: String(repeating: "x", count: 50_000)),
                peers: [:],
                witness: WitnessState(
                    seq: Int64(1000 + number), hash: String(repeating: "0", count: 64),
                    alarm: "\(number)" + String(repeating: "y", count: 50_000)))
            let answer = try await fixture.send(
                "POST", "agent/report", body: CanonicalJSON.bytes(encoding: report))
            #expect(answer.status == 200 || answer.status == 429, "\(answer.json)")
        }
        let entries = try await fixture.entries()
        #expect(entries.count - before < 80, "\(entries.suffix(40).map { $0["kind"] })")
        let alarms = entries.filter { $0["kind"]?.string == "witness_alarmed" }
        #expect(alarms.count == 1)
        #expect((alarms.first?["body"]?["finding"]?.string?.utf8.count ?? .max) < 600)
        let size = try FileManager.default.attributesOfItem(atPath: fixture.journalFile)[.size]
        #expect((size as? NSNumber)?.intValue ?? .max < 1 << 20)
    }

    // MARK: Logins

    /// A removed node's agent and unknown certificates knock on; people with tokens come in.
    @Test func aBrokenMachineLocksOutNobodyElse() async throws {
        let server = try await SecureServe()
        try await server.start()
        try await server.pki("issue", "--agent", "gone/node-9", "--out", server.file("gone"))
        try await server.pki("issue", "--person", "stranger", "--out", server.file("stranger"))
        for _ in 0..<10 {
            for name in ["gone", "stranger"] {
                let refused = try await server.curl(name, server.api + "/status")
                #expect(refused.status == 403, "\(refused)")
            }
        }
        func ask(_ token: String) async throws -> SecureServe.Answer {
            try await server.curl(
                nil, server.api + "/whoami", "--header", "Authorization: Bearer \(token)")
        }
        #expect(try await ask(SecureServe.bootstrap).status == 200)
        // A token that has ended is no guess: its holder waits, and nobody else.
        let made = try await Programs.run(
            "token", "create", "--name", "old", "--role", "viewer", "--owner", "ana", "--days",
            "1", "--out", server.folder.path + "/old", "--server", server.url, "--ca",
            server.ca, "--token-file", server.folder.path + "/token")
        #expect(made.exitCode == 0, "\(made.errors)")
        let old = try String(contentsOfFile: server.folder.path + "/old", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let list = try await server.curl("admin", server.api + "/tokens")
        let id = try #require(
            list.body.firstMatch(of: #/tok-[0-9a-f]+/#).map { String($0.output) })
        let revoked = try await server.curl(
            "admin", server.api + "/tokens/revoke",
            SecureServe.change(#"{"token_id":"\#(id)","reason":"x"}"#))
        #expect(revoked.status == 200, "\(revoked)")
        var last = try await ask(old)
        for _ in 0..<8 { last = try await ask(old) }
        #expect(last.status == 429, "\(last)")
        #expect(try await ask(SecureServe.bootstrap).status == 200)
        // Guesses hold up the address, but not who was known there before.
        for number in 0..<8 { last = try await ask("guess-\(number)") }
        #expect(last.status == 429, "\(last)")
        #expect(try await ask(SecureServe.bootstrap).status == 200)
        #expect(server.log.contains("certificate continuity://agent/gone/node-9"))
        #expect(server.log.contains("token \(id) of ana"))
        let refusals = try await server.entries().filter { $0["kind"]?.string == "login_refused" }
        #expect(
            refusals.contains {
                $0["body"]?["credential"]?.string == "certificate continuity://agent/gone/node-9"
            })
        #expect(refusals.count < 20, "repetition is counted")
    }

    // MARK: Connections

    @Test func oneAddressDoesNotTakeEveryConnection() async throws {
        let server = try await SecureServe(
            extra: "limits: {connections_of_address: 24, silent_connections_of_address: 12}")
        try await server.start()
        var open: [Int32] = []
        defer { for descriptor in open { close(descriptor) } }
        // 127.0.0.2 to 127.0.0.1: another address than curl's.
        for _ in 0..<60 { open.append(try connect(from: "127.0.0.2", to: server.port)) }
        _ = try await eventually("those beyond the bound are closed") {
            open.count { Self.isOpen($0) } <= 12 ? true : nil
        }
        #expect(open.count { Self.isOpen($0) } == 12, "the others have their time")
        let other = try await server.curl("viewer", server.api + "/status")
        #expect(other.status == 200, "\(other)")
        #expect(server.log.contains("a connection is refused"))
    }

    private func connect(from address: String, to port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        func name(_ address: String, _ port: Int) -> sockaddr_in {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = in_port_t(UInt16(port).bigEndian)
            inet_pton(AF_INET, address, &name.sin_addr)
            return name
        }
        func call(
            _ name: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
        ) -> Int32 {
            var name = name
            return withUnsafePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try #require(call(name(address, 0)) { bind(descriptor, $0, $1) } == 0)
        try #require(call(name("127.0.0.1", port)) { Glibc.connect(descriptor, $0, $1) } == 0)
        return descriptor
    }

    private static func isOpen(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(truncatingIfNeeded: MSG_DONTWAIT | MSG_PEEK))
        return count < 0 && errno == EAGAIN
    }

    @Test func onePersonDoesNotTakeEveryEventStream() async throws {
        let server = try await SecureServe()
        try await server.start()
        let readers = try (0..<8).map { number in
            try Background(
                [
                    "--silent", "--no-buffer", "--cacert", server.ca, "--cert",
                    server.file("viewer"), "--key", server.file("viewer"),
                    server.api + "/events?after=0",
                ], program: "/usr/bin/curl", log: server.folder.path + "/events-\(number)")
        }
        defer { for reader in readers { reader.kill(SIGKILL) } }
        _ = try await eventually("all of them read") {
            (0..<8).allSatisfy { number in
                let text = try? String(
                    contentsOfFile: server.folder.path + "/events-\(number)", encoding: .utf8)
                return text?.contains("leadership_started") == true
            } ? true : nil
        }
        let more = try await server.curl("viewer", server.api + "/events")
        #expect(more.status == 429 && more.problem == "too-many-streams", "\(more)")
        let other = try await server.curl(
            "operator", server.api + "/events?after=0", "--max-time", "2")
        #expect(other.status == 200, "\(other)")
        readers[0].kill(SIGKILL)
        _ = try await eventually("a place is free again") {
            try await server.curl("viewer", server.api + "/events?after=0", "--max-time", "1")
                .status == 200 ? true : nil
        }
    }

    /// A pause is of whoever ordered it, not of the account that the command ran under.
    @Test func aPauseIsOfWhoeverOrderedIt() async throws {
        let server = try await SecureServe()
        try await server.start()
        let paused = try await server.continuity(
            "operator", "pause", "--cluster", "orders", "--for", "5m", "--reason", "work")
        #expect(paused.exitCode == 0, "\(paused.errors)")
        var status = try await server.continuity("viewer", "status")
        #expect(status.output.contains("PAUSED by operator until"), "\(status.output)")
        let other = try await server.continuity(
            "operator", "pause", "--cluster", "orders", "--for", "5m", "--reason", "work",
            "--owner", "netops")
        #expect(other.exitCode == 0, "\(other.errors)")
        status = try await server.continuity("viewer", "status")
        #expect(status.output.contains("PAUSED by netops until"), "\(status.output)")
        #expect(status.output.contains("(ordered by operator)"), "\(status.output)")
        let empty = try await server.continuity(
            "operator", "failover", "--cluster", "orders", "--reason", "")
        #expect(empty.exitCode == 64, "\(empty.errors)")
        let bare = try await server.curl(
            "operator", server.api + "/failover",
            SecureServe.change(#"{"cluster_id":"orders","reason":" "}"#))
        #expect(bare.status == 400, "\(bare)")
    }
}

extension JSONValue {
    fileprivate func placing(_ text: String, at path: [String]) -> JSONValue {
        guard let key = path.first else { return .string(text) }
        let rest = Array(path.dropFirst())
        switch self {
        case .array(let elements):
            var elements = elements.isEmpty ? [.null] : elements
            elements[0] = elements[0].placing(text, at: rest)
            return .array(elements)
        case .object(var members):
            members[key] = (members[key] ?? .object([:])).placing(text, at: rest)
            return .object(members)
        default:
            return key == "[]"
                ? .array([JSONValue.null.placing(text, at: rest)])
                : .object([key: JSONValue.null.placing(text, at: rest)])
        }
    }
}

extension Schema {
    /// The paths to every whole number; `[]` is a list's first element.
    fileprivate var integerPaths: [[String]] {
        switch self {
        case .integer: [[]]
        case .named(_, let schema), .noted(let schema, _): schema.integerPaths
        case .array(let schema, _): schema.integerPaths.map { ["[]"] + $0 }
        case .map(let schema, _): schema.integerPaths.map { ["x"] + $0 }
        case .object(let fields, _):
            fields.flatMap { field in field.schema.integerPaths.map { [field.name] + $0 } }
        case .either(let schemas): schemas.flatMap(\.integerPaths)
        case .text, .choice, .boolean, .null, .anything: []
        }
    }
}
