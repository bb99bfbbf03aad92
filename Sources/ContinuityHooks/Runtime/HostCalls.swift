import CLinux
import ContinuityCore
import ContinuityCrypto

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

    /// A read's answer that is longer is recorded by its digest.
    static let recordedReadBytesMax = 4 << 10

    private let budgets: HookBudgets
    private let check: GrantCheck
    private let broker: any HookBroker
    private let deadlineNs: Int64

    private var count: Int64 = 0
    /// The calls that were carried out, or may have been.
    private(set) var effects: [JSONValue] = []
    /// The calls that only looked.
    private(set) var reads: [JSONValue] = []
    /// Why the last denied call was denied.
    private(set) var denial: String?

    init(_ invocation: HookInvocation, broker: any HookBroker, deadlineNs: Int64) {
        let manifest = invocation.pack.manifest
        budgets = manifest.budgets
        check = GrantCheck(
            pack: manifest.name, requested: manifest.capabilities.rules,
            granted: invocation.grant.rules)
        self.broker = broker
        self.deadlineNs = deadlineNs
    }

    mutating func perform(name: String, arguments: JSONValue) -> Answer {
        count += 1
        guard count <= budgets.hostCalls else { return .limit }
        guard let operation = CapabilityCatalogue.operation(name) else {
            return .reply(.failed(message: "there is no call '\(name)'", code: "invalid"))
        }
        let isEffect: Bool
        let called: (name: String, arguments: JSONValue)
        switch CallCheck.normalised(operation, arguments) {
        case .failure(let problem):
            return .reply(.failed(message: problem.description, code: "invalid"))
        case .success(let normalised):
            called = normalised
            isEffect = CapabilityCatalogue.isEffect(called.name, called.arguments)
        }
        switch check.permission(called.name, called.arguments) {
        case .failure(let problem):
            denial = problem.description
            return .reply(
                .failed(message: problem.description, code: HookHostReply.deniedCode))
        case .success(let permission):
            if called.name == "secret" {
                let name = called.arguments["name"] ?? .null
                return .reply(.ok([SecretReference.key: name]))
            }
            return carryOut(
                HookHostCall(
                    name: called.name, arguments: called.arguments, sequence: count,
                    isEffect: isEffect, permission: permission, check: check))
        }
    }

    private mutating func carryOut(_ call: HookHostCall) -> Answer {
        let broker = broker
        let answer = WaitingThread().answer(untilNs: deadlineNs) { await broker.perform(call) }
        let reply = answer.map(Self.deliverable)
        let recorded =
            reply ?? .failed(message: "no answer before the deadline", code: "in_doubt")
        if case .failed(let message, HookHostReply.deniedCode) = recorded { denial = message }
        record(call, recorded)
        return reply.map { .reply($0) } ?? .timeout
    }

    /// A script's keys are C texts on their way in: one with a NUL would end the worker.
    private static func deliverable(_ reply: HookHostReply) -> HookHostReply {
        guard case .ok(let value) = reply, value.hasNULInKey else { return reply }
        return .failed(
            message:
                "the answer has a key with a NUL character, which cannot be handed to a script",
            code: "bad_response")
    }

    private mutating func record(_ call: HookHostCall, _ reply: HookHostReply) {
        // The clock is no look at the world.
        guard call.name != "now" else { return }
        var entry: [String: JSONValue] = ["call": .string(call.name), "args": call.arguments]
        guard !call.isEffect else {
            if case .failed(_, HookHostReply.deniedCode) = reply { return }
            entry["reply"] = reply.json
            if case .wouldDo = reply { entry["would_do"] = true }
            effects.append(.object(entry))
            return
        }
        let bytes = CanonicalJSON.bytes(reply.json)
        entry["reply"] =
            bytes.count <= Self.recordedReadBytesMax
            ? reply.json
            : [
                "bytes": .int(Int64(bytes.count)),
                "sha256": .string(hexString(SHA256.digest(bytes))),
            ]
        reads.append(.object(entry))
    }
}

extension JSONValue {
    /// Whether any key, at any depth, holds U+0000.
    var hasNULInKey: Bool {
        switch self {
        case .array(let elements): elements.contains(where: \.hasNULInKey)
        case .object(let members):
            members.contains { $0.key.utf8.contains(0) || $0.value.hasNULInKey }
        default: false
        }
    }
}
