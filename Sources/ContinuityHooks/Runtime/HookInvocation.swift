package import ContinuityCore
import ContinuityCrypto

/// One call of one function of one pack.
package struct HookInvocation: Sendable {
    package var pack: HookPack
    package var stage: Stage
    /// The data of `ctx`: a JSON object.
    package var context: JSONValue
    /// The operator's configuration; defaults are filled in from the manifest.
    package var configuration: [String: JSONValue]
    package var grant: HookGrant
    /// The binding's own timeout. The manifest's budget holds where it is shorter.
    package var timeoutMs: Int64?
    /// Another function than that of the stage, for scripts that stand alone.
    package var function: String?

    var entry: String { function ?? stage.rawValue }

    package init(
        pack: HookPack, stage: Stage, context: JSONValue,
        configuration: [String: JSONValue] = [:], grant: HookGrant = HookGrant(),
        timeoutMs: Int64? = nil, function: String? = nil
    ) {
        self.pack = pack
        self.stage = stage
        self.context = context
        self.configuration = configuration
        self.grant = grant
        self.timeoutMs = timeoutMs
        self.function = function
    }

    /// The wall budget that holds: the manifest's, or the binding's where that is shorter.
    var wallMs: Int64 {
        min(pack.manifest.budgets.wallMs, max(1, timeoutMs ?? Int64.max))
    }
}

/// A host call that the grant allows, for the broker to carry out.
package struct HookHostCall: Hashable, Sendable {
    /// As in ``CapabilityCatalogue``; the short forms of `http` come as `http.request`.
    package var name: String
    /// By name, checked. Secrets stand in it as ``SecretReference``, so it can be recorded.
    package var arguments: JSONValue
    /// Counts the calls of one invocation from 1. With the invocation's idempotency key it names
    /// the effect: the same hook, run again with the same input, makes the same calls in order.
    package var sequence: Int64
    package var isEffect: Bool
    /// The rules of the grant that it falls under.
    package var permission: CallPermission
    /// For what only shows while it is carried out: a redirect, a path with a secret in it.
    package var check: GrantCheck

    package init(
        name: String, arguments: JSONValue, sequence: Int64, isEffect: Bool,
        permission: CallPermission, check: GrantCheck
    ) {
        self.name = name
        self.arguments = arguments
        self.sequence = sequence
        self.isEffect = isEffect
        self.permission = permission
        self.check = check
    }
}

/// What the script gets back from a host call.
package enum HookHostReply: Hashable, Sendable {
    /// The script sees the value; `true` where it is null.
    case ok(JSONValue)
    /// A drill's answer to an effect: as `ok` for the script, told apart in the record.
    case wouldDo(JSONValue)
    /// The script sees `nil, message, code`. The code `denied` colours the outcome.
    case failed(message: String, code: String)

    package static let deniedCode = "denied"

    package var json: JSONValue {
        switch self {
        case .ok(let value), .wouldDo(let value): ["ok": true, "value": value]
        case .failed(let message, let code):
            ["ok": false, "error": .string(message), "code": .string(code)]
        }
    }
}

/// Carries out what hooks ask for. `serve` queues alerts; a drill or a test only records.
///
/// The runtime asks for granted calls alone. It waits no longer than the invocation's deadline: an
/// answer that comes later is lost, and the effect counts as in doubt.
package protocol HookBroker: Sendable {
    func perform(_ call: HookHostCall) async -> HookHostReply
}
