import ContinuityAlerts
import ContinuityBroker
import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Logging
import Synchronization

/// What the driver needs of whoever carries effects out.
protocol EffectPort: Sendable {
    /// Returns when the result was handed to `inbox`; with a cancelled task nothing is handed
    /// over, and the next start asks again.
    func carryOut(_ effect: Effect, _ inbox: Inbox) async
    /// Tells all channels at once, without a record: for when none can be made.
    func tell(_ alert: Alert)
}

/// Carries out what the orchestrator has decided and the journal holds.
final class EffectExecutor: EffectPort {
    /// On top of a command's own timeout, for the way there and back.
    private static let transportMs: Int64 = 1000
    /// How long one connection is waited on: one that is lost without a word must not take the
    /// whole of a long order's time. The agent knows the order by its key.
    private static let askAgainMs: Int64 = 5000
    private static let pauseMs: Int64 = 250

    private let client: HTTPClient
    private let way: AgentWay
    private let runtime: HookRuntime?
    /// Drills have a worker of their own, so that they never take one from a real run.
    private let drillRuntime: HookRuntime?
    private let packs: PackShelf
    private let secrets: SecretStore
    private let recordings: RecordingStore?
    private let outbox: AlertOutbox
    private let logger: Logger

    init(
        client: HTTPClient, way: AgentWay, runtime: HookRuntime?, drillRuntime: HookRuntime?,
        packs: PackShelf, secrets: SecretStore, recordings: RecordingStore?,
        outbox: AlertOutbox, logger: Logger
    ) {
        self.client = client
        self.way = way
        self.runtime = runtime
        self.drillRuntime = drillRuntime
        self.packs = packs
        self.secrets = secrets
        self.recordings = recordings
        self.outbox = outbox
        self.logger = logger
    }

    func carryOut(_ effect: Effect, _ inbox: Inbox) async {
        switch effect {
        case .command(let command, let agentURL):
            let result = await send(command, to: agentURL)
            guard !Task.isCancelled else { return }
            inbox.submit(
                .operationFinished(command.key, command.clusterID, OperationResult(result)))
        case .hook(let call):
            let (outcome, recording) = await invoke(call, inbox)
            guard !Task.isCancelled else { return }
            inbox.submit(
                .operationFinished(call.operation.key, call.clusterID, OperationResult(outcome)))
            if let recording { keep(recording) }
        case .deliver(let alert, let channel):
            guard outbox.enqueue(alert, channel: channel) == .unknownChannel else { return }
            inbox.submit(
                .alertDead(
                    AlertDead(
                        alertID: alert.alertID, channel: channel, attempts: 0,
                        reason: "the channel is not configured any more")))
        }
    }

    func tell(_ alert: Alert) {
        for channel in outbox.channels(for: alert) { _ = outbox.enqueue(alert, channel: channel) }
    }

    // MARK: Commands

    /// Until the agent's own answer to this order, or the end of its time. Once a sending may have
    /// arrived nothing else tells what became of the order: it is asked for again under its key.
    private func send(_ command: AgentCommand, to agentURL: String) async -> CommandResult {
        let started = SystemClock.now().monotonicMs
        func failed(_ outcome: CommandResult.Outcome, _ detail: String) -> CommandResult {
            CommandResult(
                key: command.key, outcome: outcome, detail: detail,
                durationMs: SystemClock.now().monotonicMs - started)
        }
        let deadlineMs = started + command.timeoutMs + Self.transportMs
        var mayHaveArrived = false
        while true {
            let restMs = deadlineMs - SystemClock.now().monotonicMs
            let detail: String
            var isTimeout = false
            do {
                switch try await ask(
                    command, at: agentURL, timeoutMs: max(1, min(restMs, Self.askAgainMs)))
                {
                case .result(let result): return result
                case .turnedAway(let reason):
                    // Nothing was begun by this sending, and none came before.
                    guard mayHaveArrived else { return failed(.failed, reason) }
                    detail = reason
                case .unclear(let reason):
                    mayHaveArrived = true
                    detail = reason
                }
            } catch let error as HTTPError {
                mayHaveArrived = mayHaveArrived || error.mayHaveBeenSent
                guard mayHaveArrived else { return failed(.unreachable, error.message) }
                detail = error.message
                isTimeout = error.code == .timedOut
            } catch {
                return failed(.failed, "the order cannot be sent: \(error)")
            }
            let isOver = restMs <= Self.askAgainMs && isTimeout
            if isOver || restMs <= Self.pauseMs || Task.isCancelled {
                return failed(.timedOut, detail)
            }
            try? await Task.sleep(for: .milliseconds(Self.pauseMs))
        }
    }

    private enum AgentAnswer {
        /// Of this very order.
        case result(CommandResult)
        /// The request was refused before anything was begun.
        case turnedAway(String)
        case unclear(String)
    }

    /// What refuses a request before the agent looks at its order: who asks, or how.
    private static let turnsAway: Set<Int> = [400, 401, 403, 404, 405, 413, 415]

    private func ask(
        _ command: AgentCommand, at agentURL: String, timeoutMs: Int64
    ) async throws -> AgentAnswer {
        var request = HTTPRequest(
            method: "POST", url: agentURL + "/v1/commands",
            headers: ["content-type": "application/json"],
            body: try CanonicalJSON.bytes(encoding: command),
            timeout: .milliseconds(timeoutMs))
        way.sign(&request, to: command.nodeID, of: command.clusterID)
        let response = try await client.send(request)
        guard response.status == 200 else {
            let reason = "the agent answers with status \(response.status)"
            return Self.turnsAway.contains(response.status)
                ? .turnedAway(reason) : .unclear(reason)
        }
        do {
            let result = try WireJSON.decode(CommandResult.self, from: response.body)
            guard result.key == command.key else {
                return .unclear("the agent answers another order, \(result.key)")
            }
            return .result(result.bounded)
        } catch {
            return .unclear("the agent's answer is not understood: \(error)")
        }
    }

    // MARK: Hooks

    private func invoke(
        _ call: HookCall, _ inbox: Inbox
    ) async -> (HookOutcome, HookRecording?) {
        let name = call.binding.pack
        guard let runtime = call.isDrill ? drillRuntime : runtime, let stage = call.operation.stage
        else { return (HookOutcome(status: .error, error: "no pack '\(name)' is loaded"), nil) }
        // A pack that changed on disk since the policy was journaled is another pack.
        guard let pack = packs.pack(name, sha256: call.binding.packSHA256) else {
            return (
                HookOutcome(status: .denied, error: "the pack '\(name)' has changed its digest"),
                nil
            )
        }
        let grant: HookGrant
        do {
            // A journal of before grants were kept whole knows the channels alone.
            let channels = call.binding.grantedChannels
            grant =
                try call.binding.grant.map { json throws(ConfigError) in
                    try HookGrant(json: json)
                } ?? HookGrant(notifyChannels: Set(channels))
        } catch {
            return (
                HookOutcome(status: .denied, error: "its grant is not understood: \(error)"), nil
            )
        }
        let invocation = HookInvocation(
            pack: pack, stage: stage, context: call.context,
            configuration: call.binding.configuration,
            grant: grant, timeoutMs: call.binding.timeoutMs)
        let port = ServerBrokerPort(call: call, inbox: inbox) { [self] command, url in
            await send(command, to: url)
        }
        let broker = ListeningBroker(
            LiveBroker(
                mode: call.isDrill ? .drill : .live, http: client, secrets: secrets, port: port))
        let startedAtMs = SystemClock.now().utcMs
        let outcome = await runtime.invoke(invocation, broker: broker)
        guard recordings != nil else { return (outcome, nil) }
        let recording = HookRecording(
            of: invocation, operation: call.operation.key, clusterID: call.clusterID,
            drill: call.isDrill, atMs: startedAtMs, calls: broker.calls, outcome: outcome)
        return (outcome, recording)
    }

    private func keep(_ recording: HookRecording) {
        do {
            try recordings?.save(recording)
        } catch {
            logger.error(
                "a hook call could not be recorded",
                metadata: ["operation": "\(recording.operation)", "error": "\(error)"])
        }
    }
}
