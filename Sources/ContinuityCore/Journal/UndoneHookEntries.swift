/// A run has ended and this hook has not done its part: it is called again until it has.
package struct HookLeftUndone: Codable, Hashable, Sendable {
    package var runID: RunID
    /// The binding's place in the policy, see ``RunScript/place(of:_:)``.
    package var place: String
    package var stage: Stage
    package var timing: HookBinding.Timing
    package var pack: String
    package var detail: String
    /// Nobody knows whether it was done, and its pack must not be called twice: it waits for a
    /// person or for the next run.
    package var isInDoubt: Bool?

    package init(
        runID: RunID, place: String, stage: Stage, timing: HookBinding.Timing, pack: String,
        detail: String, isInDoubt: Bool? = nil
    ) {
        self.runID = runID
        self.place = place
        self.stage = stage
        self.timing = timing
        self.pack = pack
        self.detail = detail
        self.isInDoubt = isInDoubt
    }

    private enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case place, stage, timing, pack, detail
        case isInDoubt = "is_in_doubt"
    }
}

/// A hook that was left undone is not called any more.
package struct HookSettled: Codable, Hashable, Sendable {
    package enum End: String, Codable, Hashable, Sendable {
        case done
        /// A newer run has changed the roles, and its own hooks count.
        case superseded
        /// The policy does not bind it any more.
        case unbound
        case dismissed
    }

    package var place: String
    package var stage: Stage
    package var pack: String
    package var end: End
    package var reason: String

    package init(place: String, stage: Stage, pack: String, end: End, reason: String) {
        self.place = place
        self.stage = stage
        self.pack = pack
        self.end = end
        self.reason = reason
    }
}
