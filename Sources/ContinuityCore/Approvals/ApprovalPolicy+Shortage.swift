extension ApprovalPolicy {
    /// What is missing before a move of a cluster could be asked for and approved by as many people
    /// as this asks for; `nil`: there are enough.
    ///
    /// Counted as an approval counts them, one credential of each. Of a tangle of shared tokens it may
    /// see too few people, never too many.
    ///
    /// - Parameters:
    ///   - requesters: Every credential that may ask for moves of the cluster.
    ///   - approvers: Every credential that may approve them, whatever its groups.
    package func shortage(requesters: [Principal], approvers: [Principal]) -> String? {
        let needed = max(failover, switchover)
        guard needed > 0 else { return nil }
        let approvers = Self.few(
            approvers.filter { groups.isEmpty || !Set(groups).isDisjoint(with: $0.groups) })
        var most: [Principal] = []
        for requester in Self.few(requesters) {
            var people = [requester]
            for approver in approvers where people.count <= needed {
                if people.allSatisfy({ $0.couldBeOne(with: approver).isEmpty }) {
                    people.append(approver)
                }
            }
            if people.count > needed { return nil }
            if people.count > most.count { most = people }
        }
        let counted =
            most.isEmpty ? "nobody" : most.map(\.person).sorted().joined(separator: ", ")
        let who = groups.isEmpty ? "" : " in \(groups.joined(separator: ", "))"
        return
            "a move takes \(needed + 1) people who do not know each other's tokens, one who asks "
            + "and \(needed) who may approve\(who); there is \(counted): give them certificates "
            + "('people'), or let each claim their token ('continuity token claim')"
    }

    /// Those whose secret fewest know first. Of those who share it with the same people only as many
    /// as could matter: a thousand tokens of one maker are looked at in no time.
    private static func few(_ principals: [Principal]) -> [Principal] {
        var counts: [Set<String>: Int] = [:]
        return
            principals
            .filter { $0.couldBeOne(with: $0) != [Principal.anybody] }
            .sorted { ($0.knownBy?.count ?? 0, $0.person) < ($1.knownBy?.count ?? 0, $1.person) }
            .filter {
                counts[Set($0.knownBy ?? []), default: 0] += 1
                return counts[Set($0.knownBy ?? []), default: 0] <= 2 * approversMax
            }
    }
}
