/// The data part of `ctx`, as hooks see it (docs/hook-authors.md holds the reference).
extension Orchestrator {
    func hookCall(
        _ operation: Operation, _ binding: HookBinding, _ run: RunState, _ real: ClusterState,
        _ now: Moment, drill: DrillState? = nil
    ) -> HookCall {
        let id = real.cluster.clusterID
        let cluster = drill?.pretended(real) ?? real
        var services: [NodeID: ServiceReport] = [:]
        for node in cluster.cluster.nodes.map(\.nodeID) {
            let reported = observations[id]?.nodes[node]?.report?.service
            services[node] = drill.map { $0.pretended(reported, of: node) } ?? reported
        }
        return HookCall(
            operation: operation, clusterID: id, binding: binding,
            context: hookContext(operation, run, cluster, services, now, isDrill: drill != nil),
            plan: run.plan, cluster: real.cluster, services: services, epoch: state.epoch,
            instanceID: state.instanceID, isDrill: drill != nil)
    }

    private func hookContext(
        _ operation: Operation, _ run: RunState, _ cluster: ClusterState,
        _ services: [NodeID: ServiceReport], _ now: Moment, isDrill: Bool
    ) -> JSONValue {
        let id = cluster.cluster.clusterID
        let nodes = cluster.cluster.nodes.map {
            nodeContext($0, cluster, services[$0.nodeID], now)
        }
        func node(_ wanted: NodeID) -> JSONValue {
            nodes.first { $0["node_id"]?.string == wanted.rawValue } ?? .null
        }
        return [
            "api": "hooks/v1",
            "stage": .string(operation.stage?.rawValue ?? ""),
            "drill": .bool(isDrill),
            "now_ms": .int(now.utcMs),
            "deadline": .int(now.utcMs +| operation.timeoutMs),
            "deadline_ms": .int(now.utcMs +| operation.timeoutMs),
            "epoch": .int(state.epoch),
            "idempotency_key": .string(operation.key.rawValue),
            "cluster": [
                "cluster_id": .string(id.rawValue),
                "name": .string(cluster.cluster.name),
                "state": .string(cluster.health.rawValue),
                "primary_node_id": .string(cluster.primary.rawValue),
                "nodes": .array(nodes),
            ],
            "plan": (try? JSONValue(encoding: run.plan)) ?? .null,
            "run": [
                "run_id": .string(run.runID.rawValue),
                "kind": .string(run.kind.rawValue),
                "trigger": .string(run.trigger.rawValue),
                "requested_by": .string(run.requestedBy),
                "reason": .string(run.reason),
            ],
            "target": node(run.plan.failoverTargetID),
            "primary": node(run.plan.primaryNodeID),
            "verification": run.verification.flatMap { try? JSONValue(encoding: $0) } ?? .null,
        ]
    }

    private func nodeContext(
        _ node: Node, _ cluster: ClusterState, _ shown: ServiceReport?, _ now: Moment
    ) -> JSONValue {
        let seen = observations[cluster.cluster.clusterID]?.nodes[node.nodeID]
        let heardAgo = seen?.heardAtMs.map { JSONValue.int(now.monotonicMs - $0) }
        let service = shown.flatMap { try? JSONValue(encoding: $0) }
        var context: JSONValue = [
            "node_id": .string(node.nodeID.rawValue),
            "region": .string(node.region),
            "site": .string(node.site),
            "role": .string(cluster.role(of: node).rawValue),
            "status": .string(cluster.status(of: node.nodeID).rawValue),
            "priority": .int(node.priority),
            "capacity": .int(node.capacity),
            "metadata": .object(node.metadata.mapValues { .string($0) }),
            "service": service ?? .null,
            "heard_ms_ago": heardAgo ?? .null,
        ]
        if cluster.cluster.topology == .activeActive, case .object(var members) = context {
            members["weight"] = .int(cluster.weight(of: node.nodeID))
            context = .object(members)
        }
        return context
    }
}
