/// What a drill found: each stage, each hook, and what would have been done.
package struct DrillReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Hashable, Sendable {
        /// In earnest the run would have been committed.
        case passed
        case failed
        /// A policy would have said no.
        case refused
        /// It did not come to its end; nothing follows from it.
        case cancelled
    }

    /// Where a stage's prediction comes from.
    package enum Basis: String, Codable, Hashable, Sendable {
        /// The median of real runs.
        case measured
        /// No run was measured yet: a conservative figure, and the hooks' time in this drill.
        case estimate = "default"
        /// This drill alone.
        case drill
    }

    package struct Step: Codable, Hashable, Sendable {
        /// `hook`, `command`, `reading`, `alert` or `primary_changed`.
        package var what: String
        package var name: String
        package var nodeID: NodeID?
        /// `ok`, `would_do`, `skipped`, or how it failed.
        package var outcome: String
        package var detail: String
        package var tookMs: Int64
        package var wouldDo: [JSONValue]

        private enum CodingKeys: String, CodingKey {
            case what, name
            case nodeID = "node_id"
            case outcome, detail
            case tookMs = "took_ms"
            case wouldDo = "would_do"
        }
    }

    package struct StageReport: Codable, Hashable, Sendable {
        package var stage: Stage
        package var reached: Bool
        package var tookMs: Int64
        package var predictedMs: Int64
        package var basis: Basis
        package var steps: [Step]

        private enum CodingKeys: String, CodingKey {
            case stage, reached
            case tookMs = "took_ms"
            case predictedMs = "predicted_ms"
            case basis, steps
        }
    }

    package var drillID: RunID
    package var clusterID: ClusterID
    package var policyID: PolicyID
    package var scenario: DrillScenario
    package var planID: PlanID
    package var fromNodeID: NodeID
    package var toNodeID: NodeID
    package var requestedBy: String
    package var reason: String
    package var state: State
    /// Why it did not pass. Empty when it did.
    package var detail: String
    package var confidence: Int64?
    package var heldBy: Hold?
    /// Where the earnest case would take another way. `nil`: nowhere.
    package var caveats: [String]?
    package var startedAtMs: Int64
    package var durationMs: Int64
    /// What the detection of the failure takes, part of the prediction.
    package var detectionMs: Int64
    /// How long the service would be away: detection and every stage up to `dns_flip`.
    package var predictedRTOMs: Int64
    /// What the policy promises.
    package var rtoMs: Int64
    package var stages: [StageReport]

    package var meetsRTO: Bool { predictedRTOMs <= rtoMs }

    private enum CodingKeys: String, CodingKey {
        case drillID = "drill_id"
        case clusterID = "cluster_id"
        case policyID = "policy_id"
        case scenario
        case planID = "plan_id"
        case fromNodeID = "from_node_id"
        case toNodeID = "to_node_id"
        case requestedBy = "requested_by"
        case reason, state, detail, confidence
        case heldBy = "held_by"
        case caveats
        case startedAtMs = "started_at_ms"
        case durationMs = "duration_ms"
        case detectionMs = "detection_ms"
        case predictedRTOMs = "predicted_rto_ms"
        case rtoMs = "rto_ms"
        case stages
    }
}

extension DrillReport {
    init(
        _ drill: DrillState, of cluster: ClusterState, _ state: State, detail: String,
        atMs: Int64
    ) {
        let run = drill.run
        drillID = run.runID
        clusterID = cluster.cluster.clusterID
        policyID = cluster.policy.policyID
        scenario = drill.scenario
        planID = run.plan.planID
        fromNodeID = run.plan.primaryNodeID
        toNodeID = run.plan.failoverTargetID
        requestedBy = run.requestedBy
        reason = run.reason
        self.state = state
        self.detail = detail
        confidence = run.verification?.confidence
        heldBy = drill.heldBy
        caveats = drill.caveats.isEmpty ? nil : drill.caveats
        startedAtMs = run.requestedAtMs
        durationMs = max(0, atMs -| run.requestedAtMs)
        // A service that dies is seen with its agent's next report.
        detectionMs =
            drill.scenario == .primaryFailure ? cluster.policy.detection.intervalMs : 0
        rtoMs = cluster.policy.rtoS *| 1000
        stages = drill.stageReports(estimates: cluster.estimates, endMs: atMs)
        let awayUntil: Set<Stage> = [.admit, .preCheck, .demote, .promote, .dnsFlip]
        // A primary that hands over serves until it is demoted.
        let awayFrom: Set<Stage> =
            drill.scenario == .switchover ? awayUntil.subtracting([.admit, .preCheck]) : awayUntil
        predictedRTOMs =
            detectionMs
            + stages.filter { awayFrom.contains($0.stage) }.reduce(0) { $0 +| $1.predictedMs }
    }
}

extension DrillState {
    fileprivate func stageReports(
        estimates: ActionEstimates, endMs: Int64
    ) -> [DrillReport.StageReport] {
        let took = run.phasesMs(endMs: endMs)
        let planned: [Stage] =
            [.admit, .preCheck] + run.plan.actions.compactMap { Stage($0.action) }
        let entered = run.stageStarts.map(\.stage)
        let last = planned.lastIndex { entered.contains($0) } ?? -1
        let isRolledBack = entered.contains(.rollback)
        return (planned + (isRolledBack ? [.rollback] : [])).enumerated().map { index, stage in
            let steps = steps(at: stage)
            let tookMs = took[stage.rawValue] ?? 0
            let prediction = prediction(of: stage, tookMs: tookMs, steps, estimates)
            // A stage without hooks and without a part of the core is passed through at once.
            let isReached = index <= last || stage == .rollback
            return DrillReport.StageReport(
                stage: stage, reached: isReached, tookMs: tookMs,
                predictedMs: prediction.ms, basis: prediction.basis, steps: steps)
        }
    }

    private func prediction(
        of stage: Stage, tookMs: Int64, _ steps: [DrillReport.Step], _ estimates: ActionEstimates
    ) -> (ms: Int64, basis: DrillReport.Basis) {
        guard let action = ActionType(rawValue: stage.rawValue) else { return (tookMs, .drill) }
        if estimates.isMeasured(action) { return (estimates[action], .measured) }
        let hooksMs = steps.filter { $0.what == "hook" }.reduce(0) { $0 +| $1.tookMs }
        switch action {
        case .demote, .promote, .restart: return (estimates[action] +| hooksMs, .estimate)
        case .dnsFlip, .notify, .verify: return (tookMs, .drill)
        }
    }

    private func steps(at stage: Stage) -> [DrillReport.Step] {
        var steps: [DrillReport.Step] = []
        var readings: [NodeID: Int] = [:]
        for key in order {
            guard let operation = run.operations[key], operation.stage == stage else { continue }
            let step = step(of: operation)
            guard step.what == "reading", let node = operation.nodeID else {
                steps.append(step)
                continue
            }
            // A node is often read many times over: one line for it.
            if let index = readings[node] {
                steps[index].tookMs = steps[index].tookMs +| step.tookMs
                steps[index].outcome = step.outcome
                steps[index].detail = step.detail
            } else {
                readings[node] = steps.count
                steps.append(step)
            }
        }
        if stage == .promote, run.promoted {
            steps.append(
                wouldDo(
                    "primary_changed", "primary", run.plan.failoverTargetID,
                    ["from": .string(run.plan.primaryNodeID.rawValue)]))
        }
        if stage == .notify, run.alerts.contains(run.promotionAlertID) {
            steps.append(
                wouldDo(
                    "alert", "continuity.run.promoted", nil,
                    ["to": .string(run.plan.failoverTargetID.rawValue)]))
        }
        return steps
    }

    private func wouldDo(
        _ what: String, _ name: String, _ node: NodeID?, _ arguments: JSONValue
    ) -> DrillReport.Step {
        DrillReport.Step(
            what: what, name: name, nodeID: node, outcome: "would_do", detail: "", tookMs: 0,
            wouldDo: [["call": .string(name), "args": arguments]])
    }

    private func step(of operation: Operation) -> DrillReport.Step {
        let result = run.results[operation.key]
        let began = intendedAtMs[operation.key] ?? 0
        let tookMs = max(0, (finishedAtMs[operation.key] ?? began) - began)
        var step = DrillReport.Step(
            what: "hook", name: operation.pack ?? "", nodeID: operation.nodeID,
            outcome: result?.outcome.rawValue ?? "unfinished", detail: result?.detail ?? "",
            tookMs: tookMs, wouldDo: [])
        if let command = operation.command {
            step.what = command.isEffect ? "command" : "reading"
            step.name = command.rawValue
            guard command.isEffect else { return step }
            step.outcome = "would_do"
            step.detail = ""
            var arguments: [String: JSONValue] = [
                "node_id": .string(operation.nodeID?.rawValue ?? "")
            ]
            if let source = operation.sourceNodeID {
                arguments["primary_node_id"] = .string(source.rawValue)
            }
            step.wouldDo = [
                ["call": .string("agent.\(command.rawValue)"), "args": .object(arguments)]
            ]
        } else if let hook = result?.hook {
            step.outcome = hook.isSkip ? "skipped" : hook.status.rawValue
            step.wouldDo = hook.effects
            if step.detail.isEmpty { step.detail = hook.value["reason"]?.string ?? "" }
        }
        return step
    }
}

extension HookOutcome {
    /// The stub for a pack that asks not to be called in drills.
    static let skippedInDrill = HookOutcome(
        status: .ok,
        value: [
            "verdict": "abstain", "skipped": true,
            "reason": "its manifest says 'drill: skip'",
        ])

    var isSkip: Bool { value["skipped"]?.bool == true && scriptSHA256.isEmpty }
}
