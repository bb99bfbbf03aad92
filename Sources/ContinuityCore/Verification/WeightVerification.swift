/// What the verification of a shift of load looks at.
struct WeightVerification {
    var cluster: Cluster
    var policy: FailoverPolicy
    /// The nodes that were given more to do.
    var laden: [NodeWeight]
    var shedPermille: Int64
    /// A fresh reading of each of them that answered.
    var readings: [NodeID: ServiceReport]
    var votersHeard: Int
    var failedOperations: [String]
}

extension Verification {
    static func verify(_ input: WeightVerification) -> Verification {
        var deductions = input.failedOperations.map {
            Deduction(check: .failedAction, evidence: $0)
        }
        let idle = input.laden.filter { input.readings[$0.nodeID]?.state != .running }
        deductions += idle.map {
            Deduction(
                check: .consistency,
                evidence: "\($0.nodeID) has weight \($0.weight) and does not run")
        }
        if input.policy.needsQuorum, input.votersHeard < input.cluster.quorumSize {
            deductions.append(
                Deduction(
                    check: .quorum,
                    evidence:
                        "\(input.votersHeard) of \(input.cluster.nodes.count) voters are heard, "
                        + "\(input.cluster.quorumSize) are needed"))
        }
        if input.shedPermille > 0 {
            deductions.append(
                Deduction(
                    check: .policy, evidence: "\(input.shedPermille) ‰ of the load are not served"))
        }
        return Verification(deductions: deductions)
    }
}
