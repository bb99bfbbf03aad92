import ContinuityCore

/// A readable file: cluster, policy and events above the line `---`, what came of it below. The
/// language is described in docs/simulation.md.
package struct Scenario {
    var nodes: [Node] = []
    var policy: FailoverPolicy
    var quorumSize: Int?
    var topology = Topology.activePassive
    var isSynchronous = false
    var probe = ServiceProbe.postgresql
    var seed: UInt64 = 1
    var runMs: Int64 = 60_000
    var events: [(atMs: Int64, fault: Fault)] = []
    var brake = BrakeSettings()
    var plans: [PlanRequest] = []
    /// The text above the line, as it stands in the file.
    private(set) var source: String
    /// The text below the line.
    package private(set) var expected: String

    static let separator = "---"

    /// - Throws: ``ScenarioError`` with the line that is not understood.
    package init(text: String) throws(ScenarioError) {
        policy = FailoverPolicy(policyID: "scenario", cooldownS: 0)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let end = lines.firstIndex(of: Self.separator) ?? lines.count
        source = lines[..<end].joined(separator: "\n")
        expected = lines.dropFirst(end + 1).joined(separator: "\n")
        for (number, line) in lines[..<end].enumerated() {
            do {
                try read(line)
            } catch {
                throw ScenarioError(line: number + 1, message: error.message)
            }
        }
        guard nodes.contains(where: { $0.role == .primary }) else {
            throw ScenarioError(line: 1, message: "no node is the primary; write 'nodes 3'")
        }
    }

    /// The whole file with what comes of it now.
    package func rewritten() -> String { "\(source)\n\(Self.separator)\n\(outcome())" }

    // MARK: Running

    var cluster: Cluster {
        Cluster(
            clusterID: "scenario", topology: topology, quorumSize: quorumSize, nodes: nodes,
            serviceProbe: probe
        ).readyToSimulate
    }

    /// What comes of it: plans, then the timeline and the state at the end.
    ///
    /// - Parameter mutation: a rule that is broken on purpose.
    package func outcome(mutation: SimulationMutation? = nil) -> String {
        var lines = plans.map(planned)
        if plans.isEmpty { lines += played(mutation) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func planned(_ request: PlanRequest) -> String {
        do {
            let plan = try Planner.plan(
                cluster: cluster, policy: policy, request: request, digest: .simulation)
            let actions = plan.actions.map { "\($0.action.rawValue) \($0.nodeID)" }
            return "plan \(plan.kind.rawValue) \(plan.primaryNodeID) -> \(plan.failoverTargetID): "
                + actions.joined(separator: ", ")
                + (plan.weights.map { weights in
                    "; weights "
                        + weights.map { "\($0.nodeID) \($0.weight)" }.joined(separator: ", ")
                        + "; \(plan.shedPermille ?? 0) ‰ shed"
                } ?? "")
        } catch {
            return "no plan: \(error.rule.rawValue): \(error.evidence)"
        }
    }

    private func played(_ mutation: SimulationMutation?) -> [String] {
        var settings = WorldSettings(
            seed: seed, cluster: cluster, policy: policy, isSynchronous: isSynchronous,
            mutation: mutation)
        settings.isTraced = true
        settings.brake = brake
        let world = World(settings)
        for (atMs, fault) in events { world.events.add(.fault(fault), atMs: atMs) }
        world.run(untilMs: runMs)
        var lines = world.decisions.map { "\(tenths($0.atMs)) \($0.kind) \($0.text)" }
        if let violation = world.violation {
            lines.append("VIOLATION \(violation.rule): \(violation.detail)")
        }
        return lines + end(of: world)
    }

    private func end(of world: World) -> [String] {
        guard let state = world.clusterState else { return ["end without a state"] }
        var line =
            "at the end: \(state.health.rawValue), primary \(state.primary), term \(state.term)"
        if let hold = state.hold { line += ", hold \(hold.rule.rawValue)" }
        if let run = state.run { line += ", run \(run.kind.rawValue) under way" }
        let writable = world.databases.indices.filter(world.isWritable).map(world.name)
        return [
            line, "takes writes: \(writable.isEmpty ? "nobody" : writable.joined(separator: ", "))",
            "longest outage: \(tenths(max(world.writes.longestGapMs, world.nowMs - world.writes.lastAtMs)).trimmingPrefix { $0 == " " }) s, "
                + "acknowledged writes lost: \(world.writes.lost)",
        ]
    }

    private func tenths(_ ms: Int64) -> String {
        let text = "\(ms / 1000).\(ms % 1000 / 100)"
        return String(repeating: " ", count: max(0, 6 - text.count)) + text
    }
}
