import ContinuityAlerts
import ContinuityCore
import ContinuityHTTP
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
}
