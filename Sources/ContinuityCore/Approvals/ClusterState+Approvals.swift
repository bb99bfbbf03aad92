extension ClusterState {
    mutating func govern(_ body: JournalBody) {
        switch body {
        case .approvalRequested(let body): approval = body.approval
        case .approvalGiven(let body):
            switch body.question {
            case .move: approval?.consents.append(body.consent)
            case .dataLoss:
                approval?.dataLossConsent = body.consent
                approval?.dataLoss = body.accepted
            }
        case .approvalEnded: approval = nil
        case .reviewOpened(let body): reviews.append(body.review)
        case .reviewClosed(let body): reviews.removeAll { $0.reviewID == body.reviewID }
        default: break
        }
    }
}
