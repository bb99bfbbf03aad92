package import ContinuityCore
package import ContinuityHTTP
package import Logging
import ServiceLifecycle
import Synchronization

/// Delivers alerts to their channels at least once.
///
/// - The journal is the durable store: the server enqueues what is pending there, after a restart
///   again, and journals each result that `report` receives. An alert that was delivered just
///   before a crash is sent once more, with the same `webhook-id`.
/// - Channels are independent. Within one, alerts are sent in the order of their enqueueing, by
///   default one at a time. An alert whose attempt failed waits for its backoff aside, so that one
///   that the receiver rejects does not hold up the others; after a failure the order is lost, and
///   the event's `time` tells it.
/// - A status of 200 to 299 is delivered; 410 Gone is dead at once; everything else, also the other
///   4xx, is tried again until the channel's `maxAttempts`: receivers get misconfigured, and are
///   mended without anyone telling us.
package final class AlertOutbox: Service {
    /// What an `enqueue` came to.
    package enum Admission: Hashable, Sendable {
        case accepted
        /// The same alert is pending for the same channel; nothing changes.
        case alreadyPending
        case unknownChannel
    }

    private struct Lane: Sendable {
        let sender: AlertSender
        let wakeUps: AsyncStream<Void>
        let wakeUp: AsyncStream<Void>.Continuation
    }

    /// In the order of the configuration.
    package let channelNames: [String]
    private let lanes: [String: Lane]
    private let queues: Mutex<[String: OutboxQueue]>
    private let schedule: RetrySchedule
    private let environment: OutboxEnvironment
    private let logger: Logger
    private let report: @Sendable (AlertResult) async -> Void

    /// - Parameters:
    ///   - channels: Their names are unique.
    ///   - maxInFlightPerChannel: Attempts that one receiver sees at once.
    ///   - report: Called once for each accepted alert when it has ended, and awaited before the
    ///     same alert can be accepted again.
    package init(
        channels: [AlertChannel], client: HTTPClient, schedule: RetrySchedule = RetrySchedule(),
        maxInFlightPerChannel: Int = 1, environment: OutboxEnvironment = .live, logger: Logger,
        report: @escaping @Sendable (AlertResult) async -> Void
    ) {
        var lanes: [String: Lane] = [:]
        var queues: [String: OutboxQueue] = [:]
        for channel in channels {
            precondition(lanes[channel.name] == nil, "two channels are named \(channel.name)")
            let (stream, continuation) = AsyncStream.makeStream(
                of: Void.self, bufferingPolicy: .bufferingNewest(1))
            lanes[channel.name] = Lane(
                sender: AlertSender(channel: channel, client: client, environment: environment),
                wakeUps: stream, wakeUp: continuation)
            queues[channel.name] = OutboxQueue(maxInFlight: maxInFlightPerChannel)
        }
        self.channelNames = channels.map(\.name)
        self.lanes = lanes
        self.queues = Mutex(queues)
        self.schedule = schedule
        self.environment = environment
        self.logger = logger
        self.report = report
    }

    /// The channels that an alert is meant for: those it names, or all.
    package func channels(for alert: Alert) -> [String] {
        alert.channels.isEmpty ? channelNames : alert.channels
    }

    /// Alerts that were accepted and have not ended, over all channels.
    package var pendingCount: Int {
        queues.withLock { $0.values.reduce(0) { $0 + $1.pendingCount } }
    }

    /// Queues an alert for one channel, before `run` too. Returns at once.
    ///
    /// - Parameter priorAttempts: Attempts that an earlier process made and journaled.
    package func enqueue(_ alert: Alert, channel: String, priorAttempts: Int = 0) -> Admission {
        guard let lane = lanes[channel] else { return .unknownChannel }
        let isNew = queues.withLock {
            $0[channel]?.enqueue(.init(alert: alert, attempts: priorAttempts)) ?? false
        }
        lane.wakeUp.yield()
        return isNew ? .accepted : .alreadyPending
    }

    /// Delivers until the task is cancelled or the service group shuts down gracefully. Attempts in
    /// progress are then given up without a result: they are pending in the journal. Runs once.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for lane in self.lanes.values {
                    group.addTask { await self.run(lane) }
                }
                // A service that returns is one that failed, also where there are no channels.
                group.addTask { try? await gracefulShutdown() }
            }
        }
    }

    private func run(_ lane: Lane) async {
        await withDiscardingTaskGroup { group in
            lane.wakeUp.yield()
            for await _ in lane.wakeUps {
                while let item = self.take(lane) {
                    group.addTask { await self.attempt(item, lane) }
                }
            }
            group.cancelAll()
        }
    }

    private func take(_ lane: Lane) -> OutboxQueue.Item? {
        queues.withLock { $0[lane.sender.channel.name]?.take() }
    }

    /// One attempt, and the wait before the next. Each of these tasks stands for one pending alert.
    private func attempt(_ item: OutboxQueue.Item, _ lane: Lane) async {
        let channel = lane.sender.channel
        let outcome = await lane.sender.send(item.alert)
        queues.withLock { $0[channel.name]?.attemptEnded() }
        lane.wakeUp.yield()
        if Task.isCancelled, case .failed = outcome { return }

        switch outcome {
        case .delivered(let status):
            await finish(
                .delivered(
                    item.alert.alertID, channel: channel.name, status: status,
                    attempts: item.attempts), item, lane)
        case .rejected(let reason):
            await die(reason, item, lane)
        case .failed(let reason, let retryAfterMs):
            guard item.attempts < channel.maxAttempts else { return await die(reason, item, lane) }
            let delay = schedule.delay(
                afterAttempt: item.attempts, retryAfterMs: retryAfterMs,
                random: environment.random)
            logger.warning(
                "alert not delivered, will be tried again",
                metadata: metadata(item, channel, reason).merging(["delay": "\(delay)"]) { $1 })
            guard (try? await environment.sleep(delay)) != nil else { return }
            queues.withLock { $0[channel.name]?.retry(item) }
            lane.wakeUp.yield()
        }
    }

    private func die(_ reason: String, _ item: OutboxQueue.Item, _ lane: Lane) async {
        let channel = lane.sender.channel
        logger.error(
            "alert is dead, nothing more will be tried", metadata: metadata(item, channel, reason))
        await finish(
            .dead(
                item.alert.alertID, channel: channel.name, reason: reason,
                attempts: item.attempts), item, lane)
    }

    /// Reported first: until the result is journaled, the same alert must not be accepted again.
    private func finish(_ result: AlertResult, _ item: OutboxQueue.Item, _ lane: Lane) async {
        await report(result)
        queues.withLock { $0[lane.sender.channel.name]?.finish(item.alert.alertID) }
    }

    private func metadata(
        _ item: OutboxQueue.Item, _ channel: AlertChannel, _ reason: String
    ) -> Logger.Metadata {
        [
            "alert_id": "\(item.alert.alertID)", "channel": "\(channel.name)",
            "attempt": "\(item.attempts)", "max_attempts": "\(channel.maxAttempts)",
            "reason": "\(reason)",
        ]
    }
}
