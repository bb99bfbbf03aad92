import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import ContinuityNode
import ContinuityTransport
import Foundation
import Testing

@testable import ContinuityAgent

/// Who may give orders to an agent, tried with the real curl and openssl, and with our client.
@Suite(.serialized) struct AgentTransportTests {
    /// An authority and certificates in a folder of their own.
    private final class Authority: Sendable {
        let folder: String
        private let authority: CertificateAuthority

        init() throws {
            folder = "/tmp/continuity-agent-tls-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            let now = Int64(Date().timeIntervalSince1970)
            let made = try CertificateAuthority.make(
                name: "test", validity: (now - 86_400)..<(now + 86_400))
            authority = made.authority
            try KeyFile.write(
                authority.certificate.pem(), to: folder + "/ca.pem", replacing: false)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func file(_ name: String) -> String { "\(folder)/\(name).pem" }

        @discardableResult
        func issue(
            _ name: String, _ uri: String, seconds: Range<Int64> = -60..<3600
        ) throws -> Pin {
            let now = Int64(Date().timeIntervalSince1970)
            let key = try PrivateKey.generate()
            let certificate = try authority.issue(
                names: [.uri(uri), .ip("127.0.0.1")], for: key,
                validity: (now + seconds.lowerBound)..<(now + seconds.upperBound))
            try KeyFile.write(key.pem() + certificate.pem(), to: file(name), replacing: true)
            return Pin(of: certificate)
        }

        func files(_ name: String) -> TLSFiles {
            TLSFiles(certificateFile: file(name), authorityFile: file("ca"))
        }

        func credentials(_ name: String, expecting identity: String? = nil) -> TLSCredentials {
            TLSCredentials(
                certificateFile: file(name), keyFile: file(name), authorityFile: file("ca"),
                expectedIdentity: identity)
        }
    }

    /// By the agent's own runner: its reaper would take the children of any other.
    private func run(_ program: String, _ arguments: [String]) async -> (Int32, String) {
        let result = await ProgramRunner.run(
            argv: ["/usr/bin/" + program] + arguments, timeoutMs: 20_000)
        let code: Int32 = if case .exited(let code) = result.ending { code } else { -1 }
        return (code, String(decoding: result.output, as: UTF8.self) + result.tail)
    }

    private func order(node: NodeID = "n1", epoch: Int64 = 1) throws -> String {
        let command = AgentCommand(
            key: OperationKey(UUID().uuidString), clusterID: Harness.clusterID, nodeID: node,
            epoch: epoch, name: .status, timeoutMs: 10_000)
        return String(decoding: try CanonicalJSON.bytes(encoding: command), as: UTF8.self)
    }

    private func curl(
        _ authority: Authority, _ name: String?, _ url: String, _ more: [String] = []
    ) async -> (code: Int32, text: String) {
        var arguments = ["--silent", "--show-error", "--include", "--max-time", "10"]
        arguments += ["--cacert", authority.file("ca")]
        if let name {
            arguments += ["--cert", authority.file(name), "--key", authority.file(name)]
        }
        return await run("curl", arguments + more + [url])
    }

    @Test func onlyAnOrchestratorsCertificateGivesOrders() async throws {
        let authority = try Authority()
        try authority.issue("n1", "continuity://agent/orders/n1")
        try authority.issue("n2", "continuity://agent/orders/n2")
        let pin = try authority.issue("serve", "continuity://serve/one")
        try authority.issue("other", "continuity://serve/one")
        try authority.issue("ended", "continuity://serve/one", seconds: -3600 ..< -60)
        try authority.issue("person", "continuity://person/ana")
        let foreign = try Authority()
        try foreign.issue("serve", "continuity://serve/one")
        let healthPort = try freeTCPPort()
        try await Harness.run { configuration, _ in
            configuration.tls = .init(
                files: authority.files("n1"), peers: ["continuity://agent/orders/"],
                orchestratorPins: [pin])
            configuration.healthListen = Endpoint(host: "127.0.0.1", port: healthPort)
        } body: { harness in
            let url = "https://127.0.0.1:\(harness.agent.port ?? 0)"
            let body = ["--data", try order()]
            let good = await curl(authority, "serve", url + "/v1/commands", body)
            #expect(good.text.contains("200 OK"), "\(good)")
            let readings = await curl(authority, "n2", url + "/health")
            #expect(readings.text.contains("200 OK"), "peers look at it: \(readings)")
            for name in ["n2", "person"] {
                let answer = await curl(authority, name, url + "/v1/commands", body)
                #expect(answer.text.contains("wrong-identity"), "\(name): \(answer)")
            }
            let double = await curl(authority, "other", url + "/v1/commands", body)
            #expect(double.text.contains("pin-mismatch"), "\(double)")
            for (name, more) in [
                (nil, []), ("ended", []), ("serve", ["--tls-max", "1.2"]),
            ] as [(String?, [String])] {
                let answer = await curl(authority, name, url + "/health", more)
                #expect(answer.code != 0 && !answer.text.contains("HTTP/1.1"), "\(answer)")
            }
            let stranger = await curl(
                authority, nil, url + "/health",
                ["--cert", foreign.file("serve"), "--key", foreign.file("serve")])
            #expect(stranger.code != 0 && !stranger.text.contains("HTTP/1.1"), "\(stranger)")
            let brief = await run(
                "openssl",
                [
                    "s_client", "-connect", "127.0.0.1:\(harness.agent.port ?? 0)", "-tls1_2",
                    "-brief",
                ])
            #expect(brief.0 != 0)

            // Load balancers have no certificate: a port of their own tells them, and only tells.
            let health = "https://127.0.0.1:\(healthPort)"
            let primary = await curl(authority, nil, health + "/primary")
            #expect(primary.text.contains("503 "), "\(primary)")
            let command = await curl(authority, nil, health + "/v1/commands", body)
            #expect(command.text.contains("404 "), "\(command)")
        }
    }

    /// An agent has a lease to watch: nobody keeps it from that by asking.
    @Test func whoAsksAnAgentTooOftenIsToldToWait() async throws {
        try await Harness.run { harness in
            // Far more than two seconds' worth, from several connections: a busy machine that
            // answers one of them after the other may never come to the bound.
            let (_, answers) = await run(
                "curl",
                [
                    "--silent", "--max-time", "30", "--output", "/dev/null", "--write-out",
                    "%{http_code} %header{retry-after};", "--parallel", "--parallel-max", "16",
                    "\(harness.url)/health?[1-3000]",
                ])
            let refused = answers.matches(of: #/429 [1-9]/#).count
            let others = answers.matches(of: #/(200|503) ;/#).count
            #expect(others >= 400 && refused > 0, "\(answers)")
            try await eventually("it may ask again") {
                let answer = try await harness.get("/health")
                return answer.status != 429
            }
        }
    }

    @Test func aPromiseIsForTheNodeThatAsks() async throws {
        let authority = try Authority()
        for node in ["n1", "n2", "n3"] {
            try authority.issue(node, "continuity://agent/orders/\(node)")
        }
        try authority.issue("stranger", "continuity://agent/billing/n2")
        try await Harness.run { configuration, _ in
            configuration.tls = .init(
                files: authority.files("n1"), peers: ["continuity://agent/orders/"])
        } body: { harness in
            let url = "https://127.0.0.1:\(harness.agent.port ?? 0)/v1/promises"
            let question = PromiseRequest(
                clusterID: Harness.clusterID, nodeID: "n2", epoch: 1, promiseMs: 1000)
            let body = [
                "--data",
                String(decoding: try CanonicalJSON.bytes(encoding: question), as: UTF8.self),
            ]
            let others = await curl(authority, "n3", url, body)
            #expect(others.text.contains("wrong-identity"), "\(others)")
            let elsewhere = await curl(authority, "stranger", url, body)
            #expect(elsewhere.text.contains("wrong-identity"), "\(elsewhere)")
            let own = await curl(authority, "n2", url, body)
            #expect(own.text.contains("\"promised\":"), "\(own)")
        }
    }

    @Test func aConnectionDoesNotOutliveItsCertificate() async throws {
        let authority = try Authority()
        try authority.issue("n1", "continuity://agent/orders/n1")
        // Long enough for the first order, however busy the machine is.
        try authority.issue("serve", "continuity://serve/one", seconds: -60..<4)
        try await Harness.run { configuration, _ in
            configuration.tls = .init(
                files: authority.files("n1"), peers: ["continuity://agent/orders/"])
        } body: { harness in
            let client = ContinuityHTTP.HTTPClient(maxConcurrent: 1)
            defer { client.shutdown() }
            var request = ContinuityHTTP.HTTPRequest(
                method: "POST", url: "https://127.0.0.1:\(harness.agent.port ?? 0)/v1/commands",
                headers: ["Content-Type": "application/json"], body: Array(try order().utf8))
            request.credentials = authority.credentials("serve")
            #expect(try await client.send(request).status == 200)
            let asking = request
            // The kept connection is asked again and again, so that it is never idle.
            try await eventually("the connection has ended", every: .milliseconds(50)) {
                do {
                    return try await client.send(asking).status == 401
                } catch {
                    return true
                }
            }
            try authority.issue("serve", "continuity://serve/one")
            #expect(try await client.send(request).status == 200)
        }
    }

    @Test func ourClientWantsTheExpectedIdentityAndPin() async throws {
        let authority = try Authority()
        let pin = try authority.issue("n1", "continuity://agent/orders/n1")
        try authority.issue("serve", "continuity://serve/one")
        try await Harness.run { configuration, _ in
            configuration.tls = .init(
                files: authority.files("n1"), peers: ["continuity://agent/orders/"])
        } body: { harness in
            func code(_ identity: String?, pins: [String] = []) async -> String {
                // Another client each: a kept connection is not asked again.
                let client = ContinuityHTTP.HTTPClient(maxConcurrent: 1)
                defer { client.shutdown() }
                var request = ContinuityHTTP.HTTPRequest(
                    url: "https://127.0.0.1:\(harness.agent.port ?? 0)/health")
                request.credentials = authority.credentials("serve", expecting: identity)
                request.pins = pins
                do {
                    return "\(try await client.send(request).status)"
                } catch {
                    return "\(error.code)"
                }
            }
            #expect(await code(nil) == "200")
            #expect(await code("continuity://agent/orders/n1") == "200")
            #expect(await code("continuity://agent/orders/") == "200")
            #expect(await code("continuity://agent/orders/n") == "tls")
            #expect(await code("continuity://agent/orders/n2") == "tls")
            #expect(await code("continuity://serve/") == "tls")
            #expect(await code("continuity://agent/orders/n1", pins: [pin.base64]) == "200")
            let wrong = Data(repeating: 1, count: 32).base64EncodedString()
            #expect(await code("continuity://agent/orders/n1", pins: [wrong]) == "tls")
            // A renewed certificate is shown to the next connection.
            let renewed = try authority.issue("n1", "continuity://agent/orders/n1")
            #expect(await code(nil, pins: [renewed.base64]) == "200")
            #expect(await code(nil, pins: [pin.base64]) == "tls")
        }
    }
}

/// A port that was free a moment ago.
private func freeTCPPort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return try withUnsafeMutablePointer(to: &address) { pointer in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try #require(bind(descriptor, $0, length) == 0)
            try #require(getsockname(descriptor, $0, &length) == 0)
        }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
    }
}
