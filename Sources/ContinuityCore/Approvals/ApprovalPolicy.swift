/// Which moves that people ask for need the consent of others.
package struct ApprovalPolicy: Codable, Hashable, Sendable {
    package static let approversMax = 5
    package static let expiryRangeS: ClosedRange<Int64> = 30...86_400

    /// How many people other than the requester must approve a failover.
    package var failover: Int
    /// The same for a switchover, which gives nothing up.
    package var switchover: Int
    /// Who may approve: members of one of these groups; everybody with the right where it is empty.
    package var groups: [String]
    /// How long a request waits for its approvals, in seconds.
    package var expiresS: Int64

    package init(
        failover: Int = 1, switchover: Int = 0, groups: [String] = [], expiresS: Int64 = 600
    ) {
        self.failover = failover
        self.switchover = switchover
        self.groups = groups
        self.expiresS = expiresS
    }

    func needed(for kind: PlanKind) -> Int {
        switch kind {
        // Who adopts says who may write from now on, as who orders a failover does.
        case .failover, .adopt: failover
        case .switchover: switchover
        case .restart, .rebalance: 0
        }
    }

    private enum CodingKeys: String, CodingKey {
        case failover, switchover, groups
        case expiresS = "expires_s"
    }
}
