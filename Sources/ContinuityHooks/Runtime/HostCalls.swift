import CLinux
import ContinuityCore

/// Checks a worker's host calls against the grant, has the broker carry them out, and keeps the
/// record. Nothing that comes from the worker is trusted.
struct HostCalls {
    enum Answer {
        case reply(HookHostReply)
        /// The budget `host_calls` is used up.
        case limit
        /// The deadline passed while the broker was at it.
        case timeout
    }

    private let manifest: HookManifest
    private let grant: HookGrant
    private let broker: any HookBroker
    private let deadlineNs: Int64

    private var count: Int64 = 0
    /// The calls that were carried out, or may have been.
    private(set) var effects: [JSONValue] = []
    /// Why the last denied call was denied.
    private(set) var denial: String?

    init(_ invocation: HookInvocation, broker: any HookBroker, deadlineNs: Int64) {
        manifest = invocation.pack.manifest
        grant = invocation.grant
        self.broker = broker
        self.deadlineNs = deadlineNs
    }

    mutating func perform(name: String, arguments: JSONValue) -> Answer {
        count += 1
        guard count <= manifest.budgets.hostCalls else { return .limit }
        guard name == "notify", let channel = arguments["channel"]?.string else {
            return .reply(.failed(message: "there is no call '\(name)'", code: "invalid"))
        }
        guard permits(channel: channel) else {
            let message = "the channel '\(channel)' is not granted to '\(manifest.name)'"
            denial = message
            return .reply(.failed(message: message, code: HookHostReply.deniedCode))
        }
        let message: [String: JSONValue]
        switch Self.checkMessage(arguments["message"] ?? .null) {
        case .success(let checked): message = checked
        case .failure(let problem):
            return .reply(.failed(message: problem.description, code: "invalid"))
        }
        let call = HookHostCall(
            name: name,
            arguments: .object(message.merging(["channel": .string(channel)]) { $1 }),
            sequence: count)
        return carryOut(call)
    }

    private func permits(channel: String) -> Bool {
        let requested = manifest.capabilities.notifyChannels
        return grant.notifyChannels.contains(channel)
            && (requested.contains(channel) || requested.contains("*"))
    }

    private struct MessageProblem: Error, CustomStringConvertible {
        let description: String
    }

    private static func checkMessage(
        _ message: JSONValue
    ) -> Result<[String: JSONValue], MessageProblem> {
        func problem(_ text: String) -> Result<[String: JSONValue], MessageProblem> {
            .failure(MessageProblem(description: "notify: " + text))
        }
        guard let members = message.object else { return problem("the message is not a table") }
        if let unknown = members.keys.sorted().first(where: {
            !["summary", "severity", "data"].contains($0)
        }) {
            return problem("unknown field '\(unknown)'; known: summary, severity, data")
        }
        guard let summary = members["summary"]?.string, !summary.isEmpty else {
            return problem("'summary' must be a non-empty text")
        }
        let severity = members["severity"] ?? .string(Alert.Severity.info.rawValue)
        guard severity.string.flatMap(Alert.Severity.init(rawValue:)) != nil else {
            return problem("'severity' must be info, warning or critical")
        }
        let data = members["data"] ?? [:]
        guard data.object != nil else { return problem("'data' must be a table with text keys") }
        return .success(["summary": .string(summary), "severity": severity, "data": data])
    }

    private mutating func carryOut(_ call: HookHostCall) -> Answer {
        let answer = Monitor<HookHostReply?>(nil)
        let broker = broker
        // Not a child task, on purpose: a broker that does not heed cancellation must not hold
        // this invocation beyond its deadline. Its late answer goes nowhere.
        let task = Task {
            let reply = await broker.perform(call)
            answer.change { $0 = reply }
        }
        let reply = answer.wait(untilNs: deadlineNs) { $0 }
        let recorded =
            reply ?? .failed(message: "no answer before the deadline", code: "in_doubt")
        if case .failed(let message, HookHostReply.deniedCode) = recorded {
            denial = message
        } else {
            effects.append([
                "call": .string(call.name), "args": call.arguments, "reply": recorded.json,
            ])
        }
        guard let reply else {
            task.cancel()
            return .timeout
        }
        return .reply(reply)
    }
}
