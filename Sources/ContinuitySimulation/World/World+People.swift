import ContinuityCore

/// What a person does, by what they see at that moment.
enum PersonAct: Hashable {
    case arranges(PlanKind, target: Int?, inMs: Int64, windowS: Int64)
    case asks(PlanKind, target: Int?, acceptsLoss: Bool, breaksGlass: Bool)
    /// Whatever waits for an approval, else what waited last: that must come to nothing.
    case approves(person: Int)
    case refuses(person: Int)
}

extension World {
    /// The first asks. Each may try to approve, the first too, who must not.
    private static let people: [Principal] = [
        Principal(actor: "ana"), Principal(actor: "ben", isAdmin: true),
        Principal(actor: "cleo-laptop", person: "cleo", isAdmin: true),
    ]

    func perform(_ act: PersonAct) {
        switch act {
        case .arranges(let kind, let target, let inMs, let windowS):
            hear(
                .order(
                    .schedule(
                        ScheduleWish(
                            clusterID: clusterID, kind: kind,
                            targetNodeID: target.map { cluster.nodes[$0].nodeID },
                            atMs: serveNow.utcMs + inMs, windowS: windowS, reason: "arranged")),
                    by: Self.people[0].actor))
        case .asks(let kind, let target, let acceptsLoss, let breaksGlass):
            trace("ana asks for a \(kind.rawValue)\(breaksGlass ? ", breaking the glass" : "")")
            // Who breaks the glass is an admin.
            let person = breaksGlass ? Self.people[1] : Self.people[0]
            hear(
                .request(
                    OperatorRequest(
                        clusterID: clusterID, kind: kind,
                        targetNodeID: target.map { cluster.nodes[$0].nodeID },
                        reason: "simulated", requestedBy: person, acceptsDataLoss: acceptsLoss,
                        isBreakGlass: breaksGlass)))
        case .approves(let person): answerApproval(Self.people[person], isApproved: true)
        case .refuses(let person): answerApproval(Self.people[person], isApproved: false)
        }
    }

    private func answerApproval(_ person: Principal, isApproved: Bool) {
        let pending = clusterState?.approval ?? clusterState?.scheduledApproval
        guard let asked = pending?.approvalID ?? checker.lastApprovalID else { return }
        trace("\(person.person) \(isApproved ? "approves" : "refuses") \(asked)")
        var act = ApprovalAct.refuse(clusterID, asked, reason: "not now")
        if isApproved {
            act = .approve(clusterID, asked, reason: "agreed")
            if let loss = pending?.dataLoss, pending?.dataLossConsent == nil,
                pending?.consents.isEmpty == false || pending?.needed == 0
            {
                act = .acceptDataLoss(clusterID, asked, loss, reason: "agreed")
            }
        }
        hear(.approval(act, by: person))
    }
}
