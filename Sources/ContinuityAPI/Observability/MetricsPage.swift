import ContinuityCore
import ContinuityTransport

/// `GET /metrics`: the state of everything that the caller may see, as Prometheus reads it.
struct MetricsPage {
    private typealias Sample = PrometheusText.Sample

    let report: StatusReport
    let metrics: ServerMetrics
    let isReady: Bool
    let nowMs: Int64
    /// Whose figures are shown: of these clusters, and of no cluster.
    let reaches: (ClusterID?) -> Bool

    func text() -> String {
        var page = PrometheusText()
        addServer(to: &page)
        addClusters(to: &page)
        addNodes(to: &page)
        addCounts(to: &page)
        page.addProcess()
        return page.text
    }

    private func addServer(to page: inout PrometheusText) {
        page.add(
            "continuity_build_info", .gauge, "Always 1; its labels say which program this is.",
            [Sample(["version": ProductVersion.number, "commit": BuildVersion.commit], true)])
        page.add("continuity_leader", .gauge, "1: this server leads and decides.", isReady ? 1 : 0)
        page.add("continuity_epoch", .gauge, "The epoch of the leadership.", Double(report.epoch))
        page.add(
            "continuity_journal_seq", .gauge, "The journal's last entry.", Double(report.seq))
        if let audit = report.audit {
            page.add(
                "continuity_journal_suspended", .gauge,
                "1: the journal cannot be written, nothing is decided or done.",
                audit.suspended == nil ? 0 : 1)
            page.add(
                "continuity_journal_signed_seq", .gauge, "The last entry that is signed for.",
                audit.signedSeq.map { [Sample(Double($0))] } ?? [])
            page.add(
                "continuity_witness_alarm", .gauge, "1: the witness contradicts the journal.",
                audit.witnesses.map { Sample(["node_id": $0.nodeID.rawValue], $0.alarm != nil) })
        }
        page.add(
            "continuity_alerts_pending", .gauge, "Alerts that no receiver has taken yet.",
            Double(report.pendingAlerts))
        page.add(
            "continuity_brake_latched", .gauge, "1: the fleet-wide brake holds every failover.",
            report.brake.latch == nil ? 0 : 1)
        page.add(
            "continuity_brake_failovers", .gauge, "Automatic failovers within the brake's window.",
            Double(report.brake.failovers))
    }

    private func addClusters(to page: inout PrometheusText) {
        func gauge(_ name: String, _ help: String, _ value: (ClusterStatus) -> Double) {
            page.add(
                name, .gauge, help,
                report.clusters.map { Sample(["cluster_id": $0.clusterID.rawValue], value($0)) })
        }
        let states: [ClusterHealth] = [.healthy, .degraded, .critical, .unknown]
        page.add(
            "continuity_cluster_state", .gauge, "1 for the state that the cluster is in.",
            report.clusters.flatMap { cluster in
                states.map {
                    Sample(
                        ["cluster_id": cluster.clusterID.rawValue, "state": $0.rawValue],
                        cluster.state == $0)
                }
            })
        gauge("continuity_cluster_term", "Counts the changes of the primary.") {
            Double($0.term)
        }
        gauge("continuity_run_active", "1: a run is under way.") { $0.run == nil ? 0 : 1 }
        gauge("continuity_approval_pending", "1: a move waits for consent.") {
            $0.approval == nil && $0.scheduledApproval?.isComplete != false ? 0 : 1
        }
        gauge("continuity_reviews_open", "Uses of broken glass that nobody has closed.") {
            Double($0.reviews.count)
        }
        gauge("continuity_paused", "1: automatic moves are paused.") { $0.pause == nil ? 0 : 1 }
        gauge("continuity_maintenance", "1: the cluster is in maintenance.") {
            $0.maintenance == nil ? 0 : 1
        }
        page.add(
            "continuity_hold", .gauge, "1: this rule keeps the cluster from moving.",
            report.clusters.flatMap { cluster in
                cluster.holds.map {
                    Sample(
                        ["cluster_id": cluster.clusterID.rawValue, "rule": $0.rule.rawValue], 1)
                }
            })
    }

    private func addNodes(to page: inout PrometheusText) {
        let nodes = report.clusters.flatMap { cluster in
            cluster.nodes.map { (cluster.clusterID.rawValue, $0) }
        }
        func gauge(_ name: String, _ help: String, _ value: (NodeStatusReport) -> Double?) {
            page.add(
                name, .gauge, help,
                nodes.compactMap { cluster, node in
                    value(node).map {
                        Sample(["cluster_id": cluster, "node_id": node.nodeID.rawValue], $0)
                    }
                })
        }
        gauge("continuity_node_healthy", "1: the node is healthy.") {
            $0.status == .healthy ? 1 : 0
        }
        gauge("continuity_node_primary", "1: the node is a primary.") {
            $0.role == .primary ? 1 : 0
        }
        gauge("continuity_node_service_running", "1: the node's service runs and answers.") {
            $0.service.map { $0.state == .running ? 1 : 0 }
        }
        gauge("continuity_node_heartbeat_age_seconds", "Since the node's last report.") {
            $0.heardMsAgo.map { Double($0) / 1000 }
        }
        gauge("continuity_node_replication_lag_seconds", "How far the node's copy is behind.") {
            $0.service?.lagMs.map { Double($0) / 1000 }
        }
        gauge("continuity_node_position_bytes", "Where the node's copy of the data ends.") {
            $0.service?.positionBytes.map { Double($0) }
        }
        gauge("continuity_node_weight", "The node's share of the load (active/active).") {
            $0.weight.map { Double($0) }
        }
    }

    private func addCounts(to page: inout PrometheusText) {
        page.add(
            "continuity_http_requests_total", .counter, "Requests, by operation and status.",
            metrics.requests.sorted { $0.key < $1.key }.map {
                Sample(
                    ["operation": $0.key.operation, "status": "\($0.key.status)"],
                    Double($0.value))
            })
        page.add(
            "continuity_http_request_duration_seconds", "From a request's head to its answer's.",
            metrics.durations.sorted { $0.key < $1.key }.map { (["operation": $0.key], $0.value) })
        // Not those of a cluster that the files do not name any more.
        let served = Set(report.clusters.map(\.clusterID))
        let tallies = metrics.tallies
            .filter { tally in
                reaches(tally.key) && (tally.key.map { served.contains($0) } ?? true)
            }
            .map { (cluster: $0.key?.rawValue ?? "", tally: $0.value) }
            .sorted { $0.cluster < $1.cluster }
        page.add(
            "continuity_journal_entries_total", .counter, "Entries of the journal, by kind.",
            tallies.flatMap { cluster, tally in
                tally.entries.sorted { $0.key < $1.key }.map {
                    Sample(["cluster_id": cluster, "kind": $0.key], Double($0.value))
                }
            })
        page.add(
            "continuity_run_duration_seconds", "Runs that ended, by outcome.",
            tallies.flatMap { cluster, tally in
                tally.runs.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                    (["cluster_id": cluster, "outcome": $0.key.rawValue], $0.value)
                }
            })
        page.add(
            "continuity_operation_duration_seconds", "What runs asked of agents and hooks.",
            tallies.flatMap { cluster, tally in
                tally.operations.sorted { $0.key < $1.key }.map {
                    (
                        [
                            "cluster_id": cluster, "stage": $0.key.stage, "by": $0.key.by,
                            "outcome": $0.key.outcome,
                        ], $0.value
                    )
                }
            })
    }
}
