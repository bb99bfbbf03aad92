import ContinuityAlerts
import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Logging
import Synchronization

/// Carries out what the orchestrator has decided and the journal holds.
final class EffectExecutor: Sendable {
    /// On top of a command's own timeout, for the way there and back.
    private static let transportMs: Int64 = 1000

    private let client: HTTPClient
    private let token: String
    private let runtime: HookRuntime?
    /// Drills have a worker of their own, so that they never take one from a real run.
    private let drillRuntime: HookRuntime?
    private let packs: PackShelf
    private let recordings: RecordingStore?
    private let outbox: AlertOutbox
    private let logger: Logger

    init(
        client: HTTPClient, token: String, runtime: HookRuntime?, drillRuntime: HookRuntime?,
        packs: PackShelf, recordings: RecordingStore?, outbox: AlertOutbox, logger: Logger
    ) {
        self.client = client
        self.token = token
        self.runtime = runtime
        self.drillRuntime = drillRuntime
        self.packs = packs
        self.recordings = recordings
        self.outbox = outbox
        self.logger = logger
    }

    /// Returns when the result was handed to `inbox`; with a cancelled task nothing is handed
    /// over, and the next start asks again.
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

    // MARK: Commands

    private func send(_ command: AgentCommand, to agentURL: String) async -> CommandResult {
        let started = SystemClock.now().monotonicMs
        func failed(_ outcome: CommandResult.Outcome, _ detail: String) -> CommandResult {
            CommandResult(
                key: command.key, outcome: outcome, detail: detail,
                durationMs: SystemClock.now().monotonicMs - started)
        }
        do {
            let request = HTTPRequest(
                method: "POST", url: agentURL + "/v1/commands",
                headers: [
                    "authorization": "Bearer \(token)", "content-type": "application/json",
                ],
                body: try CanonicalJSON.bytes(encoding: command),
                timeout: .milliseconds(command.timeoutMs + Self.transportMs))
            let response = try await client.send(request)
            guard response.status == 200 else {
                return failed(.refused, "the agent answers with status \(response.status)")
            }
            return try JSONDecoder().decode(CommandResult.self, from: Data(response.body))
        } catch let error as HTTPError {
            return failed(error.code == .timedOut ? .timedOut : .unreachable, error.message)
        } catch {
            return failed(.unreachable, "the agent's answer is not understood: \(error)")
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
        let invocation = HookInvocation(
            pack: pack, stage: stage, context: call.context,
            configuration: call.binding.configuration,
            grant: HookGrant(notifyChannels: Set(call.binding.grantedChannels)),
            timeoutMs: call.binding.timeoutMs)
        let broker = ListeningBroker(
            call.isDrill ? DrillBroker() : NotifyingBroker(call: call, inbox: inbox))
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

/// Answers a hook's effects in a drill with what they answer when all goes well, and does nothing.
private struct DrillBroker: HookBroker {
    func perform(_ call: HookHostCall) async -> HookHostReply {
        guard call.name == "notify" else {
            return .failed(
                message: "'\(call.name)' has no stand-in for drills", code: "unknown_call")
        }
        return .ok(true)
    }
}

/// Turns a hook's `ctx.notify` into an alert that is durable before the hook hears that it is.
private struct NotifyingBroker: HookBroker {
    let call: HookCall
    let inbox: Inbox

    func perform(_ hostCall: HookHostCall) async -> HookHostReply {
        guard hostCall.name == "notify", let channel = hostCall.arguments["channel"]?.string else {
            return .failed(message: "unknown call '\(hostCall.name)'", code: "unknown_call")
        }
        let severity = hostCall.arguments["severity"]?.string.flatMap(Alert.Severity.init)
        do {
            _ = try await inbox.ask(
                .hookNotified(
                    HookNotification(
                        operation: call.operation.key, clusterID: call.clusterID,
                        runID: call.operation.runID, pack: call.binding.pack,
                        index: Int(hostCall.sequence), channel: channel,
                        severity: severity ?? .info,
                        summary: hostCall.arguments["summary"]?.string ?? "",
                        data: hostCall.arguments["data"] ?? .null)))
            return .ok(true)
        } catch {
            return .failed(message: "\(error)", code: "unavailable")
        }
    }
}
