import ContinuityAlerts
import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import Foundation
import Glibc
import Hummingbird
import Logging
import Testing

/// The outbox against real receivers; its waits end at once unless a test holds them.
@Suite struct AlertOutboxTests {
    private let results = Events<AlertResult>()
    private let delays = Events<Duration>()

    private func channel(
        _ name: String = "oncall", port: Int, maxAttempts: Int = 20
    ) throws -> AlertChannel {
        AlertChannel(
            name: name, url: "http://127.0.0.1:\(port)/hook", secret: try testSecret(),
            maxAttempts: maxAttempts, headers: ["x-team": "platform"])
    }

    private func alert(_ id: AlertID, to channels: [String] = []) -> Alert {
        Alert(
            alertID: id, type: "continuity.test", severity: .warning, clusterID: "c",
            subject: "run-1", summary: "s", atMs: 0, data: [:], channels: channels)
    }

    /// Runs an outbox while `body` does.
    private func withOutbox<Result: Sendable>(
        _ channels: [AlertChannel], sleep: (@Sendable (Duration) async -> Void)? = nil,
        _ body: @Sendable (AlertOutbox) async throws -> Result
    ) async throws -> Result {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let client = HTTPClient()
        defer { client.shutdown() }
        let (results, delays, clock) = (results, delays, TestClock())
        let environment = OutboxEnvironment(
            nowSeconds: { clock.nowSeconds },
            sleep: { delay in
                delays.add(delay)
                await sleep?(delay)
                try Task.checkCancellation()
            },
            random: { $0.upperBound })
        let outbox = AlertOutbox(
            channels: channels, client: client, environment: environment, logger: logger,
            report: { results.add($0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await outbox.run() }
            let result = try await body(outbox)
            group.cancelAll()
            return result
        }
    }

    @Test func alertsAreDeliveredSignedAndInOrder() async throws {
        let receiver = WebhookReceiver()
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port)]) { outbox in
                let ids = (0..<200).map { AlertID("alert-\($0)") }
                for id in ids { #expect(outbox.enqueue(alert(id), channel: "oncall") == .accepted) }
                let expected = ids.map {
                    AlertResult.delivered($0, channel: "oncall", status: 200, attempts: 1)
                }
                // The receiver sees them in order; their results may overtake each other.
                #expect(Set(await results.next(200)) == Set(expected))
                let seen = await receiver.deliveries.next(200)
                #expect(seen.map(\.id) == ids.map(\.rawValue))
                #expect(seen.allSatisfy { $0.isRight })
            }
        }
    }

    @Test func aFailureIsTriedAgainWithTheSameIdAndAFreshSignature() async throws {
        let receiver = WebhookReceiver([500, 429, 404, 302])
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port)]) { outbox in
                #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
                #expect(
                    await results.next()
                        == .delivered("a", channel: "oncall", status: 200, attempts: 5))
                let seen = await receiver.deliveries.next(5)
                #expect(Set(seen.map(\.id)) == ["a"])
                #expect(Set(seen.map(\.timestamp)).count == 5)
                #expect(seen.allSatisfy { $0.isRight })
                #expect(
                    await delays.next(4) == [200, 400, 800, 1600].map { .milliseconds($0) })
            }
        }
    }

    @Test func retryAfterIsHonoured() async throws {
        let receiver = WebhookReceiver([503], headers: [.retryAfter: "9"])
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port)]) { outbox in
                #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
                #expect(await delays.next() == .seconds(9))
                #expect(
                    await results.next()
                        == .delivered("a", channel: "oncall", status: 200, attempts: 2))
            }
        }
    }

    @Test func aReceiverThatWasDownGetsTheAlertOnceItIsUp() async throws {
        let receiver = WebhookReceiver()
        let isUp = Gate()
        let port = try RefusingPort().port
        try await withOutbox([channel(port: port)], sleep: { _ in await isUp.wait() }) { outbox in
            #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
            _ = await delays.next()
            try await withServer(receiver.router, port: port) { _ in
                isUp.open()
                #expect(
                    await results.next()
                        == .delivered("a", channel: "oncall", status: 200, attempts: 2))
            }
        }
    }

    @Test func goneIsDeadAtOnce() async throws {
        let receiver = WebhookReceiver([410])
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port)]) { outbox in
                #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
                #expect(
                    await results.next()
                        == .dead(
                            "a", channel: "oncall", reason: "the receiver answered 410 Gone",
                            attempts: 1))
            }
        }
    }

    @Test func theLastAttemptMakesAnAlertDeadAndEarlierProcessesCount() async throws {
        let receiver = WebhookReceiver([500, 400, 503])
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port, maxAttempts: 5)]) { outbox in
                #expect(
                    outbox.enqueue(alert("a"), channel: "oncall", priorAttempts: 2) == .accepted)
                #expect(
                    await results.next()
                        == .dead(
                            "a", channel: "oncall", reason: "the receiver answered 503",
                            attempts: 5))
                // A person may send it again.
                #expect(outbox.enqueue(alert("a"), channel: "oncall") != .unknownChannel)
            }
        }
    }

    @Test func aDeadReceiverHoldsUpNobodyElse() async throws {
        let receiver = WebhookReceiver()
        let never = Gate()
        let refusing = try RefusingPort()
        try await withServer(receiver.router) { port in
            let channels = [
                try channel("down", port: refusing.port), try channel("up", port: port),
            ]
            try await withOutbox(channels, sleep: { _ in await never.wait() }) { outbox in
                let all = alert("all")
                #expect(outbox.channels(for: all) == ["down", "up"])
                #expect(outbox.channels(for: alert("one", to: ["up"])) == ["up"])
                for channel in outbox.channels(for: all) {
                    #expect(outbox.enqueue(all, channel: channel) == .accepted)
                }
                #expect(
                    await results.next()
                        == .delivered("all", channel: "up", status: 200, attempts: 1))
            }
        }
    }

    /// One that the receiver rejects waits aside; those behind it go on.
    @Test func aFailedAlertDoesNotHoldUpTheNext() async throws {
        let receiver = WebhookReceiver([500])
        let retry = Gate()
        try await withServer(receiver.router) { port in
            try await withOutbox([channel(port: port)], sleep: { _ in await retry.wait() }) {
                outbox in
                #expect(outbox.enqueue(alert("bad"), channel: "oncall") == .accepted)
                #expect(outbox.enqueue(alert("good"), channel: "oncall") == .accepted)
                #expect(
                    await results.next()
                        == .delivered("good", channel: "oncall", status: 200, attempts: 1))
                #expect(outbox.enqueue(alert("bad"), channel: "oncall") == .alreadyPending)
                retry.open()
                #expect(
                    await results.next()
                        == .delivered("bad", channel: "oncall", status: 200, attempts: 2))
            }
        }
    }

    @Test func whatIsPendingIsNotQueuedTwiceAndWaitsForTheRun() async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let client = HTTPClient()
        defer { client.shutdown() }
        let outbox = AlertOutbox(
            channels: [try channel(port: 1)], client: client, logger: logger, report: { _ in })
        #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
        #expect(outbox.enqueue(alert("a"), channel: "oncall") == .alreadyPending)
        #expect(outbox.enqueue(alert("b"), channel: "oncall") == .accepted)
        #expect(outbox.enqueue(alert("a"), channel: "elsewhere") == .unknownChannel)
        #expect(outbox.pendingCount == 2)
    }

    // MARK: What receivers do to their answers

    private static let longBody = String(repeating: "x", count: 200_000)

    /// Issue 15, 25: such a 200 counted as a failure until the alert was dead.
    @Test(arguments: [
        "content-length: 10\r\n\r\n12345", "content-length: 5000000\r\n\r\n" + longBody,
        "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n", "\r\n" + longBody,
    ])
    func theStatusLineDecidesWhateverBecomesOfTheBody(_ rest: String) async throws {
        let server = try HoldingServer("HTTP/1.1 200 OK\r\n" + rest)
        var channel = try channel(port: server.port)
        channel.timeout = .milliseconds(700)
        try await withOutbox([channel]) { outbox in
            #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
            #expect(
                await results.next()
                    == .delivered("a", channel: "oncall", status: 200, attempts: 1))
        }
        let gone = try HoldingServer("HTTP/1.1 410 Gone\r\n" + rest)
        channel.url = "http://127.0.0.1:\(gone.port)/hook"
        try await withOutbox([channel]) { [channel] outbox in
            #expect(outbox.enqueue(alert("b"), channel: "oncall") == .accepted)
            guard case .dead("b", _, let reason, 1)? = await results.next() else {
                Issue.record("410 is an answer as well, on \(channel.url)")
                return
            }
            #expect(reason.contains("410"))
        }
    }

    /// An interim answer is none, nor are headers that do not end.
    @Test(arguments: [
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
    ])
    func halfAnAnswerIsNone(_ answer: String) async throws {
        let server = try HoldingServer(answer)
        var channel = try channel(port: server.port, maxAttempts: 1)
        channel.timeout = .milliseconds(300)
        try await withOutbox([channel]) { outbox in
            #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
            guard case .dead("a", _, _, 1)? = await results.next() else {
                Issue.record("it was not delivered")
                return
            }
        }
    }

    /// Issue 15, 25: a receiver with a certificate of the company's own authority.
    @Test func aChannelNamesTheAuthorityOfItsReceiver() async throws {
        let folder = "/tmp/continuity-ca-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8)
            .write(to: URL(fileURLWithPath: folder + "/secret"))
        guard chmod(folder + "/secret", 0o600) == 0 else { throw POSIXError(.EPERM) }
        let make = try openssl(
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            ], in: folder)
        make.waitUntilExit()
        #expect(make.terminationStatus == 0)
        let port = try RefusingPort().port
        let server = try openssl(
            [
                "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-cert", "cert.pem",
                "-key", "key.pem",
            ], in: folder, input: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        defer {
            // SIGTERM may be ignored: a child inherits that.
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
        }
        // A server that is not there yet is asked again.
        let pause: @Sendable (Duration) async -> Void = { _ in
            try? await Task.sleep(for: .milliseconds(50))
        }
        for (extra, attempts) in [(", ca_file: cert.pem", 200), ("", 1)] {
            let reader = try ConfigReader.parse(
                text: "{name: oncall, url: 'https://localhost:\(port)/', secret_file: secret, "
                    + "max_attempts: \(attempts)\(extra)}",
                file: folder + "/serve.yaml")
            let channel = try AlertChannelConfiguration.load(from: reader).channel()
            try await withOutbox([channel], sleep: pause) { outbox in
                #expect(outbox.enqueue(alert("a"), channel: "oncall") == .accepted)
                switch await results.next() {
                case .delivered("a", _, 200, _)?: #expect(!extra.isEmpty)
                case .dead("a", _, let reason, _)?:
                    #expect(extra.isEmpty && reason.contains("tls"), "\(reason)")
                default: Issue.record("neither delivered nor dead")
                }
            }
        }
    }

    private func openssl(
        _ arguments: [String], in folder: String, input: String? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        if let input {
            // Its input stays open: s_server ends with it.
            let pipe = Pipe()
            process.standardInput = pipe
            try process.run()
            pipe.fileHandleForWriting.write(Data(input.utf8))
        } else {
            try process.run()
        }
        return process
    }
}
