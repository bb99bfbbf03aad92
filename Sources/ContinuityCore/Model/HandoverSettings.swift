/// What becomes of a switchover whose old primary does not stop.
package struct HandoverSettings: Codable, Hashable, Sendable {
    package enum DemoteTimeoutResponse: String, Codable, Hashable, Sendable, CaseIterable {
        /// The old primary goes on as primary, started again where it must be.
        case `return`
        /// It is stopped by force, and the move goes on.
        case fence
    }

    package enum HindranceResponse: String, Codable, Hashable, Sendable, CaseIterable {
        case refuse
        case `continue`
    }

    package static let demoteTimeoutRangeMs: ClosedRange<Int64> = 1_000...3_600_000

    /// For how long the old primary may take to stop in an orderly way.
    package var demoteTimeoutMs: Int64
    package var onDemoteTimeout: DemoteTimeoutResponse
    /// What it means that `prepare` finds something that would keep the old primary from stopping.
    package var onHindrance: HindranceResponse

    package init(
        demoteTimeoutMs: Int64 = 10_000, onDemoteTimeout: DemoteTimeoutResponse = .return,
        onHindrance: HindranceResponse = .refuse
    ) {
        self.demoteTimeoutMs = demoteTimeoutMs
        self.onDemoteTimeout = onDemoteTimeout
        self.onHindrance = onHindrance
    }

    private enum CodingKeys: String, CodingKey {
        case demoteTimeoutMs = "demote_timeout_ms"
        case onDemoteTimeout = "on_demote_timeout"
        case onHindrance = "on_hindrance"
    }
}
