import ContinuityCore
import Logging

/// Whether the people whom the server knows are enough for the approvals that policies ask for, so
/// that nobody finds out at night that they are not.
struct ApprovalPeople {
    let rules: AccessRules
    /// Those that hold now.
    let tokens: [AccessToken]

    init(rules: AccessRules, tokens: [AccessToken], nowMs: Int64) {
        self.rules = rules
        self.tokens = tokens.filter { $0.isValid(atMs: nowMs) }
    }

    /// `nil`: enough. Without TLS nobody proves who they are, and any name will do.
    func shortage(of cluster: ClusterID, _ policy: ApprovalPolicy?) -> String? {
        guard rules.tls != nil, let policy else { return nil }
        func reaches(_ role: AccessRole, _ clusters: [ClusterID]) -> Bool {
            role >= .operator && (clusters.isEmpty || clusters.contains(cluster))
        }
        let certificates = rules.people.filter { reaches($0.role, $0.clusters) }
            .map { principal($0.name, nil) }
        let live = tokens.filter { reaches($0.role, $0.clusters) }
            .map { principal($0.owner, $0.otherHolders.isEmpty ? nil : $0.otherHolders) }
        // A link of an alert answers, it does not ask.
        let links = rules.linkApprovers.sorted().map { principal($0, nil) }
        return policy.shortage(
            requesters: certificates + live, approvers: certificates + live + links)
    }

    private func principal(_ person: String, _ knownBy: [String]?) -> Principal {
        Principal(
            actor: person, person: person, knownBy: knownBy, groups: rules.groups(of: person))
    }
}

extension APIServer {
    /// What is missing, by cluster.
    static func approvalShortages(
        _ orchestrator: any OrchestratorPort, _ rules: AccessRules, _ clusters: [ClusterID],
        nowMs: Int64
    ) async throws -> [ClusterID: String] {
        guard rules.tls != nil else { return [:] }
        let people = ApprovalPeople(
            rules: rules, tokens: try await orchestrator.tokens(), nowMs: nowMs)
        var shortages: [ClusterID: String] = [:]
        for cluster in clusters {
            let policy = try await orchestrator.servedCluster(cluster)?.policy.approvals
            shortages[cluster] = people.shortage(of: cluster, policy)
        }
        return shortages
    }

    /// Told once, when the server leads; `GET /health/deep` tells it from then on.
    func warnOfApprovalShortages() async {
        while !orchestrator.isReady {
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
        }
        guard let report = try? await orchestrator.status(),
            let shortages = try? await Self.approvalShortages(
                orchestrator, rules, report.clusters.map(\.clusterID), nowMs: nowMs())
        else { return }
        for (cluster, shortage) in shortages.sorted(by: { $0.key < $1.key }) {
            logger.warning(
                "approvals cannot be given",
                metadata: ["cluster_id": "\(cluster)", "reason": "\(shortage)"])
        }
    }
}
