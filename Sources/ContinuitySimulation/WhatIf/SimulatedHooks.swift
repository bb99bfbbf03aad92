package import ContinuityCore

/// What a hook call of a what-if comes to.
package struct SimulatedAnswer: Sendable {
    package var outcome: HookOutcome
    /// Why the outcome is assumed; `nil`: the pack ran and answered so.
    package var assumption: String?

    package init(outcome: HookOutcome, assumption: String?) {
        self.outcome = outcome
        self.assumption = assumption
    }
}

/// Answers hook calls in simulated time. The same call has the same answer.
package protocol SimulatedHooks: Sendable {
    func answer(_ call: HookCall) -> SimulatedAnswer
}

/// Every hook goes well: for a process that has no packs.
package struct AssumedHooks: SimulatedHooks {
    private let reason: String

    package init(reason: String) { self.reason = reason }

    package func answer(_ call: HookCall) -> SimulatedAnswer { .assumed(call, reason) }
}

extension SimulatedAnswer {
    /// As if the hook had gone well.
    package static func assumed(_ call: HookCall, _ reason: String) -> SimulatedAnswer {
        let isPolicy = call.binding.stage == .admit
        return SimulatedAnswer(
            outcome: HookOutcome(
                status: .ok, value: isPolicy ? ["verdict": "allow", "reason": "assumed"] : true),
            assumption: reason)
    }
}

extension WhatIf {
    /// Whether a pack ran, or what was assumed in its place.
    package struct HookBasis: Codable, Hashable, Sendable {
        package enum Basis: String, Codable, Hashable, Sendable { case ran, assumed }

        package var pack: String
        package var stage: Stage
        package var basis: Basis
        package var calls: Int64
        /// Why it is assumed.
        package var reason: String?
    }
}

extension World {
    /// The outcome of a what-if's hook; `nil` where hooks behave as the seed and the scenario say.
    func whatIfOutcome(_ call: HookCall) -> HookOutcome? {
        guard let answer = settings.hooks?.answer(call) else { return nil }
        let basis: WhatIf.HookBasis.Basis = answer.assumption == nil ? .ran : .assumed
        if basis == .assumed { assumedOperations.insert(call.operation.key) }
        let known = hookBases.firstIndex {
            $0.pack == call.binding.pack && $0.stage == call.binding.stage && $0.basis == basis
                && $0.reason == answer.assumption
        }
        if let known {
            hookBases[known].calls += 1
        } else {
            hookBases.append(
                WhatIf.HookBasis(
                    pack: call.binding.pack, stage: call.binding.stage, basis: basis, calls: 1,
                    reason: answer.assumption))
        }
        return answer.outcome
    }

    /// For a line about the hook.
    func note(ofAssumed key: OperationKey) -> String {
        assumedOperations.contains(key) ? " (assumed)" : ""
    }
}
