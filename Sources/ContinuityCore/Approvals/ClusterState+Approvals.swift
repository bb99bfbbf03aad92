extension ClusterState {
    mutating func govern(_ body: JournalBody) {
        switch body {
        case .approvalRequested(let body):
            if body.approval.kind == .arranged {
                scheduledApproval = body.approval
            } else {
                approval = body.approval
            }
        case .approvalGiven(let body):
            if body.approvalID == scheduledApproval?.approvalID {
                scheduledApproval?.consents.append(body.consent)
                return
            }
            switch body.question {
            case .move: approval?.consents.append(body.consent)
            case .dataLoss:
                approval?.dataLossConsent = body.consent
                approval?.dataLoss = body.accepted
            }
        case .approvalEnded(let body):
            guard body.approvalID == scheduledApproval?.approvalID else {
                approval = nil
                return
            }
            scheduledApproval = nil
            // Over at once, also when the process dies before the entry that says so is durable.
            if body.outcome == .refused { endScheduled() }
        case .reviewOpened(let body): reviews.append(body.review)
        case .reviewClosed(let body): reviews.removeAll { $0.reviewID == body.reviewID }
        default: break
        }
    }
}
