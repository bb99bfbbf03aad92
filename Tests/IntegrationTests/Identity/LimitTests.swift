import ContinuityCore
import Foundation
import Glibc
import Testing

/// What the server refuses although the caller may: what is old, and what is too much.
@Suite(.serialized) struct LimitTests {
    // MARK: Replay

    @Test func aChangeIsTakenOnceAndOnlyWhileItIsNew() async throws {
        let server = try await SecureServe()
        try await server.start()
        let path = server.api + "/failover"
        let body = #"{"cluster_id":"none"}"#
        let request = SecureServe.change(body)
        // The cluster is not there: it got as far as the orchestrator.
        #expect(try await server.curl("admin", path, request).status == 404)
        let again = try await server.curl("admin", path, request)
        #expect(again.status == 409 && again.problem == "stale-request", "\(again)")
        let old = try await server.curl("admin", path, SecureServe.change(body, ageMs: 31_000))
        #expect(old.problem == "stale-request" && old.body.contains("ms ago"), "\(old)")
        let early = try await server.curl("admin", path, SecureServe.change(body, ageMs: -5000))
        #expect(early.problem == "stale-request" && early.body.contains("future"), "\(early)")
        let ahead = try await server.curl("admin", path, SecureServe.change(body, ageMs: -300))
        #expect(ahead.status == 404, "a clock that is a little ahead waits: \(ahead)")
        let bare = try await server.curl("admin", path, ["--data", body])
        #expect(bare.status == 400 && bare.problem == "no-nonce")
        // Within the window still, but from before the restart: nothing needs to be remembered.
        let kept = SecureServe.change(body)
        #expect(try await server.curl("admin", path, kept).status == 404)
        server.kill()
        try await server.start()
        let replayed = try await server.curl("admin", path, kept)
        #expect(replayed.problem == "stale-request", "\(replayed)")
        #expect(replayed.body.contains("before this server started"))
    }

    @Test func aHeartbeatIsTakenOnce() async throws {
        let server = try await SecureServe()
        try await server.start()
        let first = try await server.report("node-1", boot: "one", sequence: 7)
        #expect(first.status == 200)
        let session = SecureServe.session(of: first)
        func send(_ boot: String, _ sequence: Int) async throws -> SecureServe.Answer {
            try await server.report("node-1", boot: boot, sequence: sequence, session: session)
        }
        #expect(try await send("one", 7).problem == "stale-report")
        #expect(try await send("one", 6).problem == "stale-report")
        #expect(try await send("one", 9).status == 200)
        #expect(try await send("two", 1).status == 200)
        #expect(try await send("one", 10).problem == "stale-report", "that boot is over")
        // It lives, so the other is no successor: the first goes on, and the second is told so.
        #expect(try await send("one", 11).status == 200)
        #expect(try await send("two", 2).problem == "second-agent")
        #expect(try await send("one", 12).status == 200)
        #expect(try await send("two", 3).problem == "second-agent")
        // A real successor is heard at once.
        #expect(try await send("three", 1).status == 200)
        #expect(try await send("three", 2).status == 200)
        server.kill()
        try await server.start()
        let replayed = try await send("three", 3)
        #expect(replayed.problem == "stale-session", "\(replayed)")
        #expect(SecureServe.session(of: replayed) != session)
        let missing = try await server.curl(
            "node-1", server.api + "/agent/report", "--data", "{}")
        #expect(missing.status == 400)
    }

    // MARK: Rates

    @Test func whoAsksTooOftenIsToldWhenToComeBack() async throws {
        let server = try await SecureServe(extra: "limits: {requests_per_s_of_identity: 2}")
        try await server.start()
        // One connection, twelve requests: more than the rate and its burst.
        let urls = Array(repeating: server.api + "/whoami", count: 12)
        let answers = try await Tool.curl(
            [
                "--cacert", server.ca, "--cert", server.file("viewer"), "--key",
                server.file("viewer"), "--include",
            ] + urls)
        #expect(answers.output.contains("HTTP/1.1 200"))
        #expect(answers.output.contains("HTTP/1.1 429"))
        #expect(answers.output.lowercased().contains("retry-after: 1"))
        let other = try await server.curl("admin", server.api + "/whoami")
        #expect(other.status == 200, "others are not held back: \(other)")
    }

    @Test func wrongTokensBackOff() async throws {
        let server = try await SecureServe()
        try await server.start()
        func ask(_ token: String) async throws -> SecureServe.Answer {
            try await server.curl(
                nil, server.api + "/whoami", "--header", "Authorization: Bearer \(token)")
        }
        var last = try await ask("wrong")
        #expect(last.status == 401)
        for _ in 0..<6 { last = try await ask("wrong") }
        #expect(last.status == 429 && last.problem == "login-backoff", "\(last)")
        #expect(last.headers.lowercased().contains("retry-after:"))
        let right = try await ask(SecureServe.bootstrap)
        #expect(right.status == 429, "who guesses learns nothing meanwhile: \(right)")
        let machine = try await server.curl("viewer", server.api + "/whoami")
        #expect(machine.status == 200, "certificates are not guessed: \(machine)")
        _ = try await eventually("the address may try again") {
            try await ask(SecureServe.bootstrap).status == 200 ? true : nil
        }
        let refused = try await server.entries().filter { $0["kind"]?.string == "login_refused" }
        #expect(!refused.isEmpty)
        #expect(refused.first?["body"]?["address"]?.string == "127.0.0.1")
    }

    // MARK: Bounds

    @Test func requestsAreBounded() async throws {
        let server = try await SecureServe()
        try await server.start()
        let body = try server.folder.write(
            String(repeating: "x", count: (1 << 20) + 1), to: "body")
        let large = try await server.curl(
            "operator", server.api + "/failover",
            SecureServe.change("@" + body) + ["--header", "Expect:"])
        #expect(large.status == 413 && large.problem == "body-too-large", "\(large)")
        let many = (0..<100).flatMap { ["--header", "X-\($0): 1"] }
        let headers = try await server.curl("admin", server.api + "/status", many)
        #expect(headers.status == 400 || headers.status == 431 || headers.status == 0)
        #expect(headers.status != 200)
        let long = try await server.curl(
            "admin", server.api + "/status", "--header",
            "X-Long: " + String(repeating: "x", count: 20_000))
        #expect(long.status != 200)
        #expect(try await server.curl("admin", server.api + "/status").status == 200)
    }

    /// Runs `openssl s_client` with input that comes slowly, and gives how long it was let.
    private func slow(_ server: SecureServe, _ script: String) async throws -> Duration {
        let start = ContinuousClock.now
        // A substitution is not waited for: what counts is when openssl has lost its connection.
        let file = try server.folder.write(
            """
            timeout 20 openssl s_client -quiet -connect 127.0.0.1:\(server.port) \
            -CAfile \(server.ca) -cert \(server.file("viewer")) -key \(server.file("viewer")) \
            < <(\(script)) >/dev/null 2>&1
            """, to: "slow.sh")
        _ = try await Tool.run("bash", [file])
        return start.duration(to: .now)
    }

    @Test func slowClientsAreCut() async throws {
        let server = try await SecureServe(
            extra: "limits: {head_ms: 600, body_ms: 600, idle_ms: 600}")
        try await server.start()
        let status = "GET /api/v1/continuity/status HTTP/1.1\\r\\nHost: x\\r\\n"
        for (what, script) in [
            // A byte now and then: each write fails once the connection is cut.
            (
                "a dribbled head",
                "printf 'GET / HTTP/1.1\\r\\n'; for i in $(seq 100); do printf x || exit; sleep 0.1; done"
            ),
            (
                "a dribbled body",
                "printf 'POST /api/v1/continuity/drill HTTP/1.1\\r\\nHost: x\\r\\n"
                    + "Content-Length: 1000\\r\\n\\r\\n'; "
                    + "for i in $(seq 100); do printf x || exit; sleep 0.1; done"
            ),
            ("an idle connection", "printf '\(status)\\r\\n'; sleep 12"),
        ] {
            let time = try await slow(server, script)
            #expect(time < .seconds(9), "\(what) was let for \(time)")
        }
        // Not even the handshake: TCP alone.
        let start = ContinuousClock.now
        _ = try await Tool.run(
            "bash",
            ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(server.port); timeout 20 cat <&3"])
        #expect(start.duration(to: .now) < .seconds(9))
        #expect(try await server.curl("viewer", server.api + "/status").status == 200)
    }

    @Test func connectionsAndConcurrentRequestsAreBounded() async throws {
        let server = try await SecureServe(
            extra: "limits: {concurrent_of_identity: 2, connections: 20}")
        try await server.start()
        let head = try await server.entries().last?["seq"]?.int ?? 0
        let wait = server.api + "/audit?after=\(head + 100)&wait_ms=3000"
        let answers = try await Tool.curl(
            [
                "--cacert", server.ca, "--cert", server.file("viewer"), "--key",
                server.file("viewer"), "--include", "--parallel", "--parallel-immediate",
            ] + Array(repeating: wait, count: 5)
        ).output
        #expect(answers.matches(of: #/HTTP\/1.1 200/#).count == 2, "\(answers)")
        #expect(answers.matches(of: #/HTTP\/1.1 429/#).count == 3, "\(answers)")
    }

    /// Strangers on many addresses fill neither the journal nor the memory.
    @Test func aFloodOfWrongTokensDoesNotFillTheJournal() async throws {
        let server = try await SecureServe()
        try await server.start()
        let start = ContinuousClock.now
        var refused = 0
        for host in 1...30 {
            // One connection, six guesses, from an address of its own.
            let answers = try await Tool.curl(
                [
                    "--cacert", server.ca, "--include", "--interface", "127.0.1.\(host)",
                    "--header", "Authorization: Bearer wrong",
                ] + Array(repeating: server.api + "/whoami", count: 6)
            ).output
            refused += answers.matches(of: #/HTTP\/1.1 (401|429)/#).count
        }
        #expect(refused == 180)
        let seconds = Int(start.duration(to: .now).components.seconds)
        let entries = try await server.entries().filter { $0["kind"]?.string == "login_refused" }
        #expect(!entries.isEmpty)
        // One a second, and two at once after a rest.
        #expect(entries.count <= seconds + 3, "\(entries.count) in \(seconds) s")
        #expect(try await server.curl("viewer", server.api + "/whoami").status == 200)
    }

    @Test func connectionsAreCappedUntilOneEnds() async throws {
        let server = try await SecureServe(extra: "limits: {connections: 20, head_ms: 20000}")
        try await server.start()
        let held = try (0..<20).map { _ in try HeldConnection(port: server.port) }
        // The kernel takes one more, and nobody answers it.
        _ = try await eventually("all places are taken") {
            let answer = try await server.curl(
                "viewer", server.api + "/whoami", "--max-time", "1")
            return answer.exitCode == 28 ? true : nil
        }
        held[0].end()
        held[1].end()
        let answer = try await eventually("a place is free") {
            let answer = try await server.curl(
                "viewer", server.api + "/whoami", "--max-time", "5")
            return answer.status == 200 ? answer : nil
        }
        #expect(answer.problem == nil)
        for connection in held.dropFirst(2) { connection.end() }
    }
}

/// A connection that says nothing.
private final class HeldConnection {
    private var descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "\(String(cString: strerror(errno)))")
    }

    deinit { end() }

    func end() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
    }
}
