/// What a drill pretends to have happened.
package enum DrillScenario: String, Codable, Hashable, Sendable, CaseIterable {
    /// The primary's service has died; its agent answers.
    case primaryFailure = "primary_failure"
    /// The primary hands over on request.
    case switchover

    package var planKind: PlanKind { self == .switchover ? .switchover : .failover }
    var trigger: RunTrigger { self == .switchover ? .requested : .serviceFailed }

    /// What has happened, for the planner.
    func pretend(of primary: NodeID, in snapshot: inout Cluster) {
        guard self == .primaryFailure else { return }
        for index in snapshot.nodes.indices where snapshot.nodes[index].nodeID == primary {
            snapshot.nodes[index].status = .failed
        }
    }
}

/// A person's wish to see a move without moving anything.
package struct DrillRequest: Hashable, Sendable {
    package var clusterID: ClusterID
    package var scenario: DrillScenario
    package var targetNodeID: NodeID?
    package var reason: String
    package var requestedBy: String
    /// Refused when the plan would do another thing now.
    package var expectedPlan: Plan?

    package init(
        clusterID: ClusterID, scenario: DrillScenario, targetNodeID: NodeID? = nil, reason: String,
        requestedBy: String, expectedPlan: Plan? = nil
    ) {
        self.expectedPlan = expectedPlan
        self.clusterID = clusterID
        self.scenario = scenario
        self.targetNodeID = targetNodeID
        self.reason = reason
        self.requestedBy = requestedBy
    }
}

/// A drill under way: the fold of its entries. It stands beside the cluster's run slot, which
/// stays free for the real thing.
package struct DrillState: Hashable, Sendable {
    package var scenario: DrillScenario
    /// The same machine as in earnest.
    package var run: RunState
    /// What would have kept the cluster where it is, had it happened in earnest.
    package var heldBy: Hold?
    /// Where the earnest case would take another way.
    package var caveats: [String]
    /// The last effect on each node that was answered with a stub.
    var lastEffects: [NodeID: AgentCommand.Name] = [:]
    /// In the order in which they were intended.
    var order: [OperationKey] = []
    var intendedAtMs: [OperationKey: Int64] = [:]
    var finishedAtMs: [OperationKey: Int64] = [:]

    init(_ body: DrillStarted, atMs: Int64) {
        scenario = body.scenario
        heldBy = body.heldBy
        caveats = body.caveats ?? []
        run = RunState(body.run, atMs: atMs)
        if body.scenario == .primaryFailure { lastEffects[run.plan.primaryNodeID] = .fence }
    }

    package var drillID: RunID { run.runID }

    mutating func evolve(_ step: JournalBody, atMs: Int64) {
        switch step {
        case .operationIntended(let body):
            order.append(body.operation.key)
            intendedAtMs[body.operation.key] = atMs
        case .operationFinished(let body):
            finishedAtMs[body.operation] = atMs
            if body.result.outcome == .ok, let operation = run.operations[body.operation],
                let command = operation.command, command.isEffect, let node = operation.nodeID
            {
                lastEffects[node] = command
            }
        default: break
        }
        run.evolve(step, atMs: atMs)
    }
}

// MARK: What is pretended

extension AgentCommand.Name {
    /// Whether it changes the node. What only reads goes through in a drill.
    package var isEffect: Bool { self != .status }

    /// A service as it would be after the command.
    package func applied(to service: ServiceReport?) -> ServiceReport {
        var after = service ?? ServiceReport(state: .unknown, role: .unknown)
        switch self {
        case .status, .prepare, .own: break
        case .demote, .fence:
            after.state = .stopped
            after.streaming = false
            after.detail = ""
        case .promote:
            after.role = .primary
            after.streaming = false
        case .follow, .rejoin:
            after.state = .running
            after.role = .secondary
            after.streaming = true
        case .restart: after.state = .running
        }
        return after
    }
}

extension DrillState {
    /// A node's service as this drill pretends it to be.
    func pretended(_ service: ServiceReport?, of node: NodeID) -> ServiceReport? {
        guard let effect = lastEffects[node] else { return service }
        return effect.applied(to: service)
    }

    /// The cluster as this drill pretends it to be.
    func pretended(_ cluster: ClusterState) -> ClusterState {
        var pretended = cluster
        for (node, effect) in lastEffects where effect == .fence || effect == .demote {
            pretended.statuses[node] = .failed
            if cluster.health == .healthy { pretended.health = .degraded }
        }
        if run.promoted { pretended.primary = run.plan.failoverTargetID }
        return pretended
    }

    /// The answer of the agent, had the command been sent.
    func stub(of operation: Operation, service: ServiceReport?, epoch: Int64) -> OperationResult {
        guard let command = operation.command, let node = operation.nodeID else {
            return OperationResult(outcome: .failed, detail: "not a command")
        }
        var receipt: FenceReceipt?
        if command == .fence || command == .demote {
            receipt = FenceReceipt(
                nodeID: node, bootID: "drill", epoch: epoch, method: "drill", processesKilled: 0)
        }
        return OperationResult(
            CommandResult(
                key: operation.key, outcome: .succeeded, detail: "drill: not sent",
                service: command.applied(to: pretended(service, of: node)), receipt: receipt))
    }

    /// A reading of the real node, with the stubbed effects laid over it.
    func overlaid(_ result: OperationResult, of operation: Operation) -> OperationResult {
        guard operation.command == .status, let node = operation.nodeID,
            let service = result.command?.service
        else { return result }
        var result = result
        result.command?.service = pretended(service, of: node)
        // Asked in earnest it would deny: in a drill no promise is touched.
        if result.outcome == .ok { result.command?.deniedPromisesTo = operation.sourceNodeID }
        return result
    }
}
