package import ContinuityCore
import Synchronization

/// Everything that one hook call saw and did, so that it can be run again without the world: its
/// input, the answers of its host calls, its outcome. It holds no secret: a script never has one.
package struct HookRecording: Codable, Hashable, Sendable {
    package static let format = "recording/v1"

    /// One host call that reached the broker, and its answer.
    package struct Call: Codable, Hashable, Sendable {
        package var name: String
        package var arguments: JSONValue
        /// As ``HookHostReply/json``.
        package var reply: JSONValue
    }

    package var format: String
    package var operation: String
    package var clusterID: String
    package var pack: String
    package var packVersion: String
    package var packSHA256: String
    package var entry: Stage
    package var drill: Bool
    package var atMs: Int64
    package var context: JSONValue
    package var configuration: [String: JSONValue]
    package var grant: JSONValue
    package var timeoutMs: Int64?
    package var calls: [Call]
    package var outcome: HookOutcome

    private enum CodingKeys: String, CodingKey {
        case format, operation
        case clusterID = "cluster_id"
        case pack
        case packVersion = "pack_version"
        case packSHA256 = "pack_sha256"
        case entry, drill
        case atMs = "at_ms"
        case context, configuration, grant
        case timeoutMs = "timeout_ms"
        case calls, outcome
    }

    package init(
        of invocation: HookInvocation, operation: OperationKey, clusterID: ClusterID, drill: Bool,
        atMs: Int64, calls: [Call], outcome: HookOutcome
    ) {
        format = Self.format
        self.operation = operation.rawValue
        self.clusterID = clusterID.rawValue
        pack = invocation.pack.manifest.name
        packVersion = invocation.pack.manifest.version
        packSHA256 = invocation.pack.packSHA256
        entry = invocation.stage
        self.drill = drill
        self.atMs = atMs
        context = invocation.context
        configuration = invocation.configuration
        grant = invocation.grant.json
        timeoutMs = invocation.timeoutMs
        self.calls = calls
        self.outcome = outcome
    }

    /// The same call of a pack that may have changed since.
    package func invocation(of pack: HookPack) -> HookInvocation {
        HookInvocation(
            pack: pack, stage: entry, context: context, configuration: configuration,
            // What is not understood grants nothing.
            grant: (try? HookGrant(json: grant)) ?? HookGrant(), timeoutMs: timeoutMs)
    }
}

extension HookHostReply {
    package init(json: JSONValue) {
        guard json["ok"]?.bool == true else {
            self = .failed(
                message: json["error"]?.string ?? "", code: json["code"]?.string ?? "failed")
            return
        }
        self = .ok(json["value"] ?? .null)
    }
}

/// Keeps what passes between a hook and its broker.
package final class ListeningBroker: HookBroker {
    private let broker: any HookBroker
    private let heard = Mutex<[HookRecording.Call]>([])

    package init(_ broker: any HookBroker) { self.broker = broker }

    package var calls: [HookRecording.Call] { heard.withLock(\.self) }

    package func perform(_ call: HookHostCall) async -> HookHostReply {
        let reply = await broker.perform(call)
        heard.withLock {
            $0.append(
                HookRecording.Call(name: call.name, arguments: call.arguments, reply: reply.json))
        }
        return reply
    }
}

/// Answers as a recording does, in its order, for as long as the same things are asked.
package final class ReplayBroker: HookBroker {
    /// The code of the answer to a call that the recording does not hold.
    package static let unrecordedCode = "not_recorded"

    private let remaining: Mutex<[HookRecording.Call]>

    package init(_ calls: [HookRecording.Call]) { remaining = Mutex(calls) }

    /// The answer is found by name and arguments, so that a script that leaves one call out still
    /// gets the right answers to the others. An effect whose arguments changed gets the answer
    /// of the next call of the same name; a script sees there what it saw then.
    package func perform(_ call: HookHostCall) async -> HookHostReply {
        remaining.withLock { calls in
            let exact = calls.firstIndex {
                $0.name == call.name && $0.arguments == call.arguments
            }
            guard let index = exact ?? calls.firstIndex(where: { $0.name == call.name }) else {
                return .failed(
                    message: "the recording holds no answer to this call",
                    code: Self.unrecordedCode)
            }
            return HookHostReply(json: calls.remove(at: index).reply)
        }
    }
}
