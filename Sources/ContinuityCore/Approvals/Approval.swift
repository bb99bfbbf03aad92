/// What a move would lose: how far its target is behind, beyond what `rpo_s` allows.
package struct DataLoss: Codable, Hashable, Sendable {
    package var lagMs: Int64
    /// `nil`: a position is not known, so neither is the difference.
    package var bytes: Int64?

    package init(lagMs: Int64, bytes: Int64?) {
        self.lagMs = lagMs
        self.bytes = bytes
    }

    /// Whether who accepted `self` has also accepted `other`.
    func covers(_ other: DataLoss) -> Bool {
        lagMs >= other.lagMs && (bytes ?? .max) >= (other.bytes ?? bytes ?? .max)
    }

    private enum CodingKeys: String, CodingKey {
        case lagMs = "lag_ms"
        case bytes
    }
}

/// One person's consent.
package struct Consent: Codable, Hashable, Sendable {
    package var by: Principal
    package var reason: String
    package var atMs: Int64

    private enum CodingKeys: String, CodingKey {
        case by, reason
        case atMs = "at_ms"
    }
}

/// A move that waits for the consent of others. It is bound to the plan as it stands here: where
/// the plan would be another one, the approval is void. Only that of an arranged move covers other
/// plans, see ``covers(_:)``.
package struct PendingApproval: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Hashable, Sendable {
        case move
        /// Two admins within a short time, past every other approval.
        case breakGlass = "break_glass"
        /// An arranged move, in advance: it covers whatever plan is due of this kind, from this
        /// primary, to the target that was named or to the best one.
        case arranged
    }

    package var approvalID: ApprovalID
    package var kind: Kind
    /// `nil` in a journal of before it was named: the plan's own reason is it.
    package var trigger: RunTrigger?
    package var plan: Plan
    package var requestedBy: Principal
    package var reason: String
    package var targetNodeID: NodeID?
    package var needed: Int
    package var groups: [String]
    package var expiresAtMs: Int64
    /// `nil`: the plan loses nothing that `rpo_s` does not allow.
    package var dataLoss: DataLoss?
    package var consents: [Consent] = []
    /// Apart from the consents to the move itself.
    package var dataLossConsent: Consent?

    package var isComplete: Bool {
        consents.count >= needed && (dataLoss == nil || dataLossConsent != nil)
    }

    private enum CodingKeys: String, CodingKey {
        case approvalID = "approval_id"
        case kind, trigger, plan
        case requestedBy = "requested_by"
        case reason
        case targetNodeID = "target_node_id"
        case needed, groups
        case expiresAtMs = "expires_at_ms"
        case dataLoss = "data_loss"
        case consents
        case dataLossConsent = "data_loss_consent"
    }
}

/// How a request for approval ended.
package enum ApprovalOutcome: String, Codable, Hashable, Sendable {
    case approved, refused, expired
    /// What was asked for is not what would be done any more.
    case void
}

/// What a break-glass left behind, open until somebody has looked at it.
package struct OpenReview: Codable, Hashable, Sendable {
    package var reviewID: ReviewID
    package var runID: RunID
    package var people: [Principal]
    package var reason: String
    package var openedAtMs: Int64

    private enum CodingKeys: String, CodingKey {
        case reviewID = "review_id"
        case runID = "run_id"
        case people, reason
        case openedAtMs = "opened_at_ms"
    }
}
