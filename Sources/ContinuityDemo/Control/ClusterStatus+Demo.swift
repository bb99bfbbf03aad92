import ContinuityCore

extension ClusterStatus {
    /// Why the cluster is not as it should be: every node healthy and running, one primary, and
    /// every other node streaming from it. `nil` when it is.
    func shortcoming(nodes count: Int) -> String? {
        if state != .healthy { return "the cluster is \(state.rawValue)" + holdText }
        if nodes.count != count { return "it has \(nodes.count) nodes instead of \(count)" }
        if let run { return "\(run.runID) is under way" }
        for node in nodes {
            if node.status != .healthy { return "\(node.nodeID) is \(node.status.rawValue)" }
            guard let service = node.service, service.state == .running else {
                return "\(node.nodeID)'s service is \(node.service?.state.rawValue ?? "unknown")"
                    + (node.service.map { $0.detail.isEmpty ? "" : ": \($0.detail)" } ?? "")
            }
            let isPrimary = node.nodeID == primaryNodeID
            if service.role != (isPrimary ? .primary : .secondary) {
                return "\(node.nodeID) says that it is \(service.role.rawValue)"
            }
            if !isPrimary, !service.streaming { return "\(node.nodeID) does not stream" }
        }
        return nil
    }

    private var holdText: String {
        holds.isEmpty
            ? ""
            : " (hold: \(holds.map { "\($0.rule.rawValue): \($0.evidence)" }.joined(separator: "; ")))"
    }

    var table: TextTable {
        var table = TextTable(header: [
            "NODE", "ROLE", "STATUS", "REGION", "SITE", "SERVICE", "STREAMING", "LAG",
        ])
        table.rows = nodes.map { node in
            let isPrimary = node.nodeID == primaryNodeID
            let service = node.service
            return [
                node.nodeID.rawValue, node.role.rawValue, node.status.rawValue, node.region,
                node.site, service?.state.rawValue ?? "unknown",
                isPrimary ? "-" : service?.streaming == true ? "yes" : "no",
                isPrimary ? "-" : service?.lagMs.map { "\($0) ms" } ?? "unknown",
            ]
        }
        return table
    }
}
