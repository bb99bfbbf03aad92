package import ContinuityCore

/// What a hook is allowed to be.
package enum HookKind: String, Codable, Hashable, Sendable, CaseIterable {
    /// Pure: judges a plan at `admit` and has no effects.
    case policy
    /// Looks at the world and vetoes or passes.
    case check
    /// Has effects.
    case action

    /// Whether a hook of this kind may stand at `stage`.
    package func fits(_ stage: Stage) -> Bool {
        (self == .policy) == (stage == .admit)
    }
}

/// What happens to a hook in a drill.
package enum DrillBehaviour: String, Codable, Hashable, Sendable, CaseIterable {
    /// It runs; its effects are recorded instead of carried out.
    case run
    /// It is not called at all.
    case skip
}
