/// Bringing the other nodes back into service after the primary has changed.
extension Orchestrator {
    static let upkeepBackoffMs: ClosedRange<Int64> = 1_000...60_000
    /// Of one asking: see `goesOn`.
    static let rejoinTimeoutMs: Int64 = 600_000
    static let followTimeoutMs: Int64 = 10_000
    static let fenceTimeoutMs: Int64 = 10_000

    mutating func upkeep(_ id: ClusterID, _ now: Moment) {
        if state.clusters[id]?.cluster.topology == .activeActive {
            return startActiveNodes(id, now)
        }
        // Nobody is touched before it is known by hearing who the primary is.
        guard let cluster = state.clusters[id], cluster.inDoubt == nil,
            actsAsPrimary(cluster.primary, id, now), otherLeadership(id, now) == nil
        else { return }
        let isWell = cluster.status(of: cluster.primary) == .healthy
        let busy = Set(cluster.upkeep.values.compactMap(\.nodeID))
        for node in cluster.cluster.nodes
        where node.holdsData && node.nodeID != cluster.primary && !busy.contains(node.nodeID) {
            guard isHeard(node.nodeID, in: id, now),
                let seen = observations[id]?.nodes[node.nodeID], let report = seen.report,
                !isAtLongWork(report), now.monotonicMs >= seen.upkeepNotBeforeMs,
                let command = need(of: report, seen, cluster, now),
                // A primary that waits for a synchronous standby fails its probes until one is back.
                isWell || command == .rejoin,
                // People work on it. Only a stale primary is stopped all the same.
                command == .fence || cluster.maintenance(of: node.nodeID) == nil
            else { continue }
            let key = OperationKey(
                "upkeep-\(state.head.seq + 1)/\(node.nodeID)/\(command.rawValue)")
            intend(
                .command(
                    command, on: node.nodeID, key: key, timeoutMs: timeoutMs(of: command),
                    source: command == .follow || command == .rejoin ? cluster.primary : nil,
                    onFailure: .continue),
                id, now)
        }
    }

    private func need(
        of report: NodeReport, _ seen: Observation, _ cluster: ClusterState, _ now: Moment
    ) -> AgentCommand.Name? {
        let node = report.nodeID
        return switch (report.service.state, report.service.role) {
        // A primary that is not the primary by the journal: whatever it thinks, it must stop.
        case (.running, .primary), (.failing, .primary): .fence
        case (.stopped, _): .rejoin
        case (.running, .secondary):
            cluster.following[node] == cluster.primary
                ? needOfFollower(report, seen, cluster, now) : .follow
        default: nil
        }
    }

    /// One that streams, but of which it was not known yet whether it can, is asked: its answer is
    /// what makes it a replica.
    private func needOfFollower(
        _ report: NodeReport, _ seen: Observation, _ cluster: ClusterState, _ now: Moment
    ) -> AgentCommand.Name? {
        if !cluster.replicas.contains(report.nodeID) {
            // It may have been pointed elsewhere meanwhile, by an order that was never answered.
            guard cluster.possibleSources[report.nodeID] == [cluster.primary] else {
                return .follow
            }
            if report.service.streaming { return .status }
        }
        return needOfSilentFollower(report, seen, cluster, now)
    }

    /// A secondary that reaches the primary and takes no changes all the same is pointed to it
    /// again; when that does not help, its data has diverged: it is stopped, and then rejoins.
    private func needOfSilentFollower(
        _ report: NodeReport, _ seen: Observation, _ cluster: ClusterState, _ now: Moment
    ) -> AgentCommand.Name? {
        guard let silentMs = notStreamingMs(seen, in: cluster.cluster.clusterID, now),
            report.peers[cluster.primary] == .reachable
        else { return nil }
        let silenceMs = cluster.policy.detection.silenceMs
        if silentMs >= 4 * silenceMs { return .fence }
        return silentMs >= 2 * silenceMs ? .follow : nil
    }

    private func timeoutMs(of command: AgentCommand.Name) -> Int64 {
        switch command {
        case .rejoin: Self.rejoinTimeoutMs
        case .fence: Self.fenceTimeoutMs
        default: Self.followTimeoutMs
        }
    }

    /// After a failure the next attempt waits, longer each time.
    mutating func noteUpkeepResult(
        of operation: Operation, _ result: OperationResult, _ id: ClusterID, _ now: Moment
    ) {
        guard operation.runID == nil, let node = operation.nodeID else { return }
        guard result.outcome != .ok else {
            observations[id]?.nodes[node]?.upkeepFailures = 0
            observations[id]?.nodes[node]?.upkeepTrouble = nil
            // The next report shows the effect; until then there is nothing to decide on.
            let interval = state.clusters[id]?.policy.detection.intervalMs ?? 1000
            observations[id]?.nodes[node]?.upkeepNotBeforeMs = now.monotonicMs + interval
            return
        }
        let failures = (observations[id]?.nodes[node]?.upkeepFailures ?? 0) + 1
        observations[id]?.nodes[node]?.upkeepFailures = failures
        observations[id]?.nodes[node]?.upkeepTrouble =
            "\(operation.command?.rawValue ?? "") failed \(failures) times: \(result.detail)"
        let pause = min(
            Self.upkeepBackoffMs.lowerBound << min(failures, 10), Self.upkeepBackoffMs.upperBound)
        observations[id]?.nodes[node]?.upkeepNotBeforeMs = now.monotonicMs + pause
        guard failures == 3, state.clusters[id]?.maintenance(of: node) == nil else { return }
        queueAlert(
            type: "continuity.node.upkeep_failing", severity: .warning, cluster: id,
            subject: node.rawValue,
            summary: "\(node) cannot be brought back: \(operation.command?.rawValue ?? "") "
                + "failed \(failures) times (\(result.detail))",
            data: ["node_id": .string(node.rawValue), "detail": .string(result.detail)],
            discriminator: String(state.head.seq), now)
    }
}
