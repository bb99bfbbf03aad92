/// What was found when the result of a run was checked, and how much it is to be trusted.
package struct Verification: Codable, Hashable, Sendable {
    package enum Band: String, Codable, Hashable, Sendable {
        case veryHigh = "very_high"
        case high, medium, low

        package init(confidence: Int64) {
            self =
                switch confidence {
                case 90...: .veryHigh
                case 70..<90: .high
                case 50..<70: .medium
                default: .low
                }
        }
    }

    /// The named deductions and their points.
    package enum Check: String, Codable, Hashable, Sendable, CaseIterable {
        case failedAction = "failed_action"
        case consistency, policy, quorum, freshness, warning

        package var points: Int64 {
            switch self {
            case .failedAction: 20
            case .consistency: 25
            case .policy: 15
            case .quorum: 25
            case .freshness: 10
            case .warning: 5
            }
        }
    }

    package struct Deduction: Codable, Hashable, Sendable {
        package var check: Check
        package var points: Int64
        package var evidence: String

        package init(check: Check, evidence: String) {
            self.check = check
            self.points = check.points
            self.evidence = evidence
        }
    }

    /// 0 to 100.
    package var confidence: Int64
    package var band: Band
    package var deductions: [Deduction]

    package init(deductions: [Deduction]) {
        self.deductions = deductions
        let sum = max(0, 100 - deductions.reduce(0) { $0 + $1.points })
        // Without quorum or consistency nothing else can make the result trustworthy.
        let capped = deductions.contains { $0.check == .quorum || $0.check == .consistency }
        confidence = capped ? min(sum, 49) : sum
        band = Band(confidence: confidence)
    }

    /// Whether the result stands: quorum and consistency hold.
    package var passed: Bool {
        !deductions.contains { $0.check == .quorum || $0.check == .consistency }
    }
}

/// What a verification looks at.
package struct VerificationInput: Sendable {
    package var cluster: Cluster
    package var policy: FailoverPolicy
    package var expectedPrimary: NodeID
    /// A fresh reading of each node that answered.
    package var readings: [NodeID: ServiceReport]
    /// Operations of the run that failed and were passed over.
    package var failedOperations: [String]

    package init(
        cluster: Cluster, policy: FailoverPolicy, expectedPrimary: NodeID,
        readings: [NodeID: ServiceReport], failedOperations: [String]
    ) {
        self.cluster = cluster
        self.policy = policy
        self.expectedPrimary = expectedPrimary
        self.readings = readings
        self.failedOperations = failedOperations
    }
}

extension Verification {
    package static func verify(_ input: VerificationInput) -> Verification {
        var deductions = input.failedOperations.map {
            Deduction(check: .failedAction, evidence: $0)
        }
        deductions += consistency(input)
        if input.policy.needsQuorum, input.readings.count < input.cluster.quorumSize {
            deductions.append(
                Deduction(
                    check: .quorum,
                    evidence: "\(input.readings.count) of \(input.cluster.nodes.count) voters "
                        + "answer, \(input.cluster.quorumSize) are needed"))
        }
        deductions += policyCompliance(input)
        deductions += freshness(input)
        return Verification(deductions: deductions)
    }

    private static func consistency(_ input: VerificationInput) -> [Deduction] {
        let primaries = input.cluster.nodes.map(\.nodeID).filter {
            guard let reading = input.readings[$0] else { return false }
            return reading.state != .stopped && reading.role == .primary
        }
        guard primaries != [input.expectedPrimary] else { return [] }
        let names = primaries.map(\.rawValue).joined(separator: ", ")
        return [
            Deduction(
                check: .consistency,
                evidence: "expected \(input.expectedPrimary) alone as primary, found "
                    + (names.isEmpty ? "none" : names))
        ]
    }

    private static func policyCompliance(_ input: VerificationInput) -> [Deduction] {
        let running = input.cluster.nodes.filter {
            $0.holdsData && input.readings[$0.nodeID]?.state == .running
        }
        guard running.count < input.policy.minHealthyNodes else { return [] }
        return [
            Deduction(
                check: .policy,
                evidence: "\(running.count) data nodes run, "
                    + "min_healthy_nodes is \(input.policy.minHealthyNodes)")
        ]
    }

    private static func freshness(_ input: VerificationInput) -> [Deduction] {
        let others = input.cluster.nodes.filter {
            $0.holdsData && $0.nodeID != input.expectedPrimary
        }
        guard !others.isEmpty else { return [] }
        let following = others.filter {
            guard let reading = input.readings[$0.nodeID] else { return false }
            return reading.state == .running && reading.streaming
        }
        var deductions = others.filter { other in !following.contains { $0.nodeID == other.nodeID }
        }
        .map { Deduction(check: .warning, evidence: "\($0.nodeID) does not follow yet") }
        if following.isEmpty {
            deductions.append(
                Deduction(
                    check: .freshness,
                    evidence: "no secondary takes changes from \(input.expectedPrimary)"))
            if input.policy.rpoS == 0 {
                deductions.append(
                    Deduction(
                        check: .policy,
                        evidence: "rpo_s is 0, and the cluster is not synchronous: nobody else "
                            + "holds what \(input.expectedPrimary) acknowledges"))
            }
        } else if input.policy.rpoS == 0,
            input.readings[input.expectedPrimary]?.isSynchronous == false
        {
            deductions.append(
                Deduction(
                    check: .warning,
                    evidence: "rpo_s is 0, and \(input.expectedPrimary) acknowledges writes "
                        + "before another node holds them"))
        }
        return deductions
    }
}
