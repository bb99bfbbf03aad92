/// A person asked for a move that others must agree to.
package struct ApprovalRequested: Codable, Hashable, Sendable {
    package var approval: PendingApproval
}

/// Which of the two questions of an approval was answered.
package enum ApprovalQuestion: String, Codable, Hashable, Sendable {
    case move
    case dataLoss = "data_loss"
}

package struct ApprovalGiven: Codable, Hashable, Sendable {
    package var approvalID: ApprovalID
    package var question: ApprovalQuestion
    package var consent: Consent
    /// The loss that was accepted, in the approver's own figures.
    package var accepted: DataLoss?

    private enum CodingKeys: String, CodingKey {
        case approvalID = "approval_id"
        case question, consent, accepted
    }
}

package struct ApprovalEnded: Codable, Hashable, Sendable {
    package var approvalID: ApprovalID
    package var outcome: ApprovalOutcome
    package var reason: String
    /// `nil`: time or the cluster's state ended it.
    package var by: Principal?

    private enum CodingKeys: String, CodingKey {
        case approvalID = "approval_id"
        case outcome, reason, by
    }
}

package struct ReviewOpened: Codable, Hashable, Sendable {
    package var review: OpenReview
}

package struct ReviewClosed: Codable, Hashable, Sendable {
    package var reviewID: ReviewID
    package var note: String
    package var by: Principal

    private enum CodingKeys: String, CodingKey {
        case reviewID = "review_id"
        case note, by
    }
}
