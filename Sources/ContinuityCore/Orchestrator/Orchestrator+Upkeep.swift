/// Bringing the other nodes back into service after the primary has changed.
extension Orchestrator {
    static let upkeepBackoffMs: ClosedRange<Int64> = 1_000...60_000
    /// Of one asking: see `goesOn`.
    static let rejoinTimeoutMs: Int64 = 600_000
    /// Between two orders to follow a primary from which no changes come.
    static let followAgainMsMax: Int64 = 300_000
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
    /// again, ever less often: it may be late on purpose, or the primary may refuse it, and what it
    /// has it can serve. Only where its data is proven to be another history is it stopped, and
    /// rejoins then.
    private func needOfSilentFollower(
        _ report: NodeReport, _ seen: Observation, _ cluster: ClusterState, _ now: Moment
    ) -> AgentCommand.Name? {
        guard !report.service.streaming,
            report.peers[cluster.primary] == .reachable
        else { return nil }
        if seen.divergedFrom == cluster.primary { return .fence }
        guard let silentMs = notStreamingMs(seen, in: cluster.cluster.clusterID, now) else {
            return nil
        }
        let silenceMs = cluster.policy.detection.silenceMs
        if silentMs >= 4 * silenceMs, isAhead(report, seen, cluster) { return .fence }
        return silentMs >= 2 * silenceMs ? .follow : nil
    }

    /// Nobody who takes changes from the primary has more than it: who has told so before the
    /// primary told its own position has changes of another history.
    private func isAhead(
        _ report: NodeReport, _ seen: Observation, _ cluster: ClusterState
    ) -> Bool {
        let primary = observations[cluster.cluster.clusterID]?.nodes[cluster.primary]
        guard let own = report.service.positionBytes, let heardAtMs = seen.heardAtMs,
            let primary, let source = primary.report?.service, source.state == .running,
            source.role == .primary, let position = source.positionBytes,
            let primaryHeardAtMs = primary.heardAtMs
        else { return false }
        // A report is some time on its way.
        let marginMs = cluster.policy.detection.intervalMs / 2
        return own > position && primaryHeardAtMs >= heardAtMs - marginMs
    }

    /// A program of the node has compared its data with the primary's.
    mutating func noteDivergence(
        of operation: Operation, _ result: OperationResult, _ id: ClusterID, _ now: Moment
    ) {
        guard let node = operation.nodeID else { return }
        switch operation.command {
        case .follow where result.command?.isDiverged == true:
            observations[id]?.nodes[node]?.divergedFrom = operation.sourceNodeID
        case .rejoin where result.outcome == .ok, .follow where result.outcome == .ok:
            observations[id]?.nodes[node]?.divergedFrom = nil
        default: break
        }
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
        // The next report shows the effect; until then there is nothing to decide on.
        let interval = state.clusters[id]?.policy.detection.intervalMs ?? 1000
        guard result.outcome != .ok else {
            observations[id]?.nodes[node]?.upkeepFailures = 0
            observations[id]?.nodes[node]?.upkeepTrouble = nil
            var pauseMs = interval
            if operation.command == .follow {
                let times = observations[id]?.nodes[node]?.followsInVain ?? 0
                pauseMs = min(interval << Int64(min(times, 20)), Self.followAgainMsMax)
                observations[id]?.nodes[node]?.followsInVain = times + 1
            }
            observations[id]?.nodes[node]?.upkeepNotBeforeMs = now.monotonicMs + pauseMs
            return
        }
        // No failure: it was found out what is to be done.
        guard result.command?.isDiverged != true else {
            observations[id]?.nodes[node]?.upkeepTrouble = result.detail
            observations[id]?.nodes[node]?.upkeepNotBeforeMs = now.monotonicMs
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
