import ContinuityCore
import ContinuityTransport

/// `GET /health/deep`: what is not well, and whether the server can still do its work.
///
/// The shape is that of draft-inadarei-api-health-check-06.
struct DeepHealth: Encodable {
    enum Status: String, Encodable, Comparable {
        case pass, warn, fail

        private var rank: Int { self == .pass ? 0 : self == .warn ? 1 : 2 }

        static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
    }

    struct Check: Encodable {
        var status: Status
        /// Why it is not `pass`.
        var output: String?
    }

    var status: Status
    /// Of the server's program.
    var version = BuildVersion.text
    /// By component and measurement, `component:measurement`.
    var checks: [String: [Check]]

    /// Failing means that the server cannot do its work; whatever a cluster suffers from, which the
    /// server is there for, is a warning.
    ///
    /// - Parameters:
    ///   - report: `nil` when the server's state cannot be had.
    ///   - approvalShortages: Which people are missing for approvals.
    init(report: StatusReport?, approvalShortages: [ClusterID: String], isReady: Bool) {
        var checks: [String: [Check]] = [:]
        func check(_ name: String, _ worse: Status, _ trouble: String?) {
            checks[name] = [Check(status: trouble == nil ? .pass : worse, output: trouble)]
        }
        check("server:leadership", .fail, isReady ? nil : "the server does not lead")
        check(
            "journal:writable", .fail,
            report == nil ? "the server's state cannot be read" : report?.audit?.suspended)
        for witness in report?.audit?.witnesses ?? [] {
            check("witness/\(witness.nodeID):agreement", .fail, witness.alarm)
        }
        check(
            "brake:latch", .warn,
            report?.brake.latch.map { _ in "the fleet-wide brake holds every automatic failover" })
        for cluster in report?.clusters ?? [] {
            let name = "cluster/\(cluster.clusterID)"
            check(
                name + ":state", .warn,
                cluster.state == .healthy
                    ? nil
                    : "the cluster is \(cluster.state.rawValue)"
                        + (cluster.stateEvidence.map { ": \($0)" } ?? ""))
            check(
                name + ":hold", .warn,
                cluster.holds.first.map { "\($0.rule.rawValue): \($0.evidence)" })
            check(name + ":approvals", .warn, approvalShortages[cluster.clusterID])
            check(name + ":agents", .warn, Self.silence(cluster))
        }
        self.checks = checks
        status = checks.values.joined().map(\.status).max() ?? .pass
    }

    /// `nil`: every agent reports.
    private static func silence(_ cluster: ClusterStatus) -> String? {
        let silent = cluster.nodes.filter { $0.isHeard != true }
        func names(_ what: String, _ nodes: [NodeStatusReport]) -> String? {
            nodes.isEmpty
                ? nil : "\(what): " + nodes.map(\.nodeID.rawValue).joined(separator: ", ")
        }
        let parts = [
            names("never heard", silent.filter { $0.heardMsAgo == nil }),
            names("not heard any more", silent.filter { $0.heardMsAgo != nil }),
        ].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
