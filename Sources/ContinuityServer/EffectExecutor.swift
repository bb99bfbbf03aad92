import ContinuityAlerts
import ContinuityBroker
import ContinuityConfig
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
    private let packs: [String: HookPack]
    private let clusters: [ClusterID: Cluster]
    private let secrets: SecretStore
    private let outbox: AlertOutbox
    private let logger: Logger

    init(
        client: HTTPClient, token: String, runtime: HookRuntime?, packs: [String: HookPack],
        clusters: [Cluster], secrets: SecretStore, outbox: AlertOutbox, logger: Logger
    ) {
        self.client = client
        self.token = token
        self.runtime = runtime
        self.packs = packs
        self.clusters = Dictionary(clusters.map { ($0.clusterID, $0) }, uniquingKeysWith: { $1 })
        self.secrets = secrets
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
            let outcome = await invoke(call, inbox)
            guard !Task.isCancelled else { return }
            inbox.submit(
                .operationFinished(call.operation.key, call.clusterID, OperationResult(outcome)))
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

    private func invoke(_ call: HookCall, _ inbox: Inbox) async -> HookOutcome {
        guard let runtime, let pack = packs[call.binding.pack],
            let stage = call.operation.stage
        else {
            return HookOutcome(status: .error, error: "no pack '\(call.binding.pack)' is loaded")
        }
        // A pack that changed on disk since the policy was journaled is another pack.
        guard pack.packSHA256 == call.binding.packSHA256 else {
            return HookOutcome(
                status: .denied, error: "the pack '\(call.binding.pack)' has changed its digest")
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
            return HookOutcome(status: .denied, error: "its grant is not understood: \(error)")
        }
        let invocation = HookInvocation(
            pack: pack, stage: stage, context: call.context,
            configuration: call.binding.configuration,
            grant: grant, timeoutMs: call.binding.timeoutMs)
        let port = ServerBrokerPort(
            call: call, cluster: clusters[call.clusterID], inbox: inbox
        ) { [self] command, url in await send(command, to: url) }
        return await runtime.invoke(
            invocation,
            broker: LiveBroker(mode: .live, http: client, secrets: secrets, port: port))
    }
}
