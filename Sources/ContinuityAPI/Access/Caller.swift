import ContinuityCore
import ContinuityTransport
import HTTPTypes

/// Who asks, as far as they have proven it.
struct Caller: Sendable {
    enum Kind: Sendable {
        case nobody
        case person
        case agent(ClusterID, NodeID)
        /// The shared token on the loopback interface: any machine, and any person's name.
        case shared
    }

    var kind: Kind
    /// The person who answers for it, or the machine.
    var name: String
    /// How it was shown: `certificate`, `token tok-…`, `shared token`.
    var credential: String
    var role: AccessRole?
    /// Empty: all clusters.
    var clusters: Set<ClusterID> = []
    /// The token that was shown, where it was one of the journal's.
    var tokenID: TokenID?
    /// Who else knows the credential's secret.
    var knownBy: [String] = []

    static let nobody = Caller(kind: .nobody, name: "", credential: "none")

    /// - Throws: ``Problem`` when its credential is bound to other clusters.
    func require(_ cluster: ClusterID) throws {
        guard !reaches(cluster) else { return }
        throw Problem(
            .forbidden, "other-cluster",
            "this credential is bound to \(clusters.sorted().map(\.rawValue)), not to '\(cluster)'")
    }

    func reaches(_ cluster: ClusterID?) -> Bool {
        clusters.isEmpty || cluster.map(clusters.contains) ?? false
    }

    /// - Throws: ``Problem`` when the report is not about the node whose agent asks.
    func require(_ cluster: ClusterID, _ node: NodeID) throws {
        switch kind {
        case .shared: return
        case .agent(cluster, node): return
        default:
            throw Problem(
                .forbidden, "wrong-identity",
                "the certificate is not that of the agent of '\(node)' in '\(cluster)'")
        }
    }

    /// Who asks, for what needs the consent of others.
    func principal(claimed: String?, rules: AccessRules, address: String?) -> Principal {
        let person = requester(claimed: claimed)
        return Principal(
            actor: person, person: person, knownBy: knowers(rules),
            groups: rules.groups(of: person),
            isAdmin: role == .admin, address: address)
    }

    /// Who else could be behind it. Without TLS nobody proves anything: names alone count there.
    func knowers(_ rules: AccessRules) -> [String]? {
        rules.tls == nil || knownBy.isEmpty ? nil : knownBy
    }

    /// Why approvals do not count this credential as one person's, and what helps; `nil`: they do,
    /// or it may not ask for moves anyway.
    func approvalLimit(_ rules: AccessRules) -> String? {
        guard rules.tls != nil, let role, role >= .operator else { return nil }
        if name == Principal.anybody {
            return "this token could be in anybody's hands and takes part in no approval: make one "
                + "for yourself with 'continuity token create --owner YOU', then claim it with "
                + "'continuity token claim', or use a certificate"
        }
        guard let others = knowers(rules) else { return nil }
        let limit =
            others.contains(Principal.anybody)
            ? "whoever holds the token of token_file could know it, so it takes part in no approval"
            : "it is known to \(others.joined(separator: ", ")) as well, so approvals count you as "
                + "one person with them"
        return limit + ": 'continuity token claim' makes it yours alone, as does a certificate"
    }

    /// Who is written down as having asked. A name in the body counts only where nobody proves
    /// theirs.
    func requester(claimed: String?) -> String {
        if case .shared = kind { return claimed ?? "api" }
        return name
    }
}
