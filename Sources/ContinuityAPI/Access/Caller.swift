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
            groups: rules.groups.filter { $0.value.contains(person) }.keys.sorted(),
            isAdmin: role == .admin, address: address)
    }

    /// Who else could be behind it. Without TLS nobody proves anything: names alone count there.
    func knowers(_ rules: AccessRules) -> [String]? {
        rules.tls == nil || knownBy.isEmpty ? nil : knownBy
    }

    /// Who is written down as having asked. A name in the body counts only where nobody proves
    /// theirs.
    func requester(claimed: String?) -> String {
        if case .shared = kind { return claimed ?? "api" }
        return name
    }
}
