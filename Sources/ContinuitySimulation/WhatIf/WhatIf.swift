package import ContinuityCore

/// What could happen to a cluster under its policy, for those who decide on the policy.
package enum WhatIf {
    package enum Scenario: String, CaseIterable, Codable, Sendable {
        case primaryFailure = "primary_failure"
        case regionFailure = "region_failure"
        case randomFailures = "random_failures"
        case partition, flapping, recovery
    }

    package struct Outage: Codable, Sendable, Equatable {
        package var fromMs: Int64
        package var lengthMs: Int64

        private enum CodingKeys: String, CodingKey {
            case fromMs = "from_ms"
            case lengthMs = "length_ms"
        }
    }

    package struct Report: Codable, Sendable {
        package var clusterID: ClusterID
        package var policyID: PolicyID
        package var scenario: Scenario
        package var seed: UInt64
        package var simulatedMs: Int64
        package var events: [String]
        package var timeline: [Decision]
        package var outages: [Outage]
        package var longestOutageMs: Int64
        package var rtoMs: Int64
        package var holds: [String]
        /// Whether the policy's packs ran, or were assumed to go well.
        package var hooks: [HookBasis]
        package var failovers: Int
        package var lostWrites: Int
        package var finalHealth: String
        package var finalPrimary: NodeID
        package var finalHold: String?
        package var violation: String?
        /// The last run; `nil`: nothing was moved.
        package var lastRun: Run?

        private enum CodingKeys: String, CodingKey {
            case clusterID = "cluster_id"
            case policyID = "policy_id"
            case scenario, seed
            case simulatedMs = "simulated_ms"
            case events, timeline, outages
            case longestOutageMs = "longest_outage_ms"
            case rtoMs = "rto_ms"
            case holds, hooks, failovers
            case lostWrites = "lost_writes"
            case finalHealth = "final_health"
            case finalPrimary = "final_primary_node_id"
            case finalHold = "final_hold"
            case violation
            case lastRun = "last_run"
        }
    }

    package struct Run: Codable, Sendable {
        package var runID: RunID
        /// `nil`: it was still under way.
        package var state: RunOutcome?
        package var durationMs: Int64
        package var actionsExecuted: Int
        package var actionsFailed: Int
        package var verification: Verification?

        private enum CodingKeys: String, CodingKey {
            case runID = "run_id"
            case state
            case durationMs = "duration_ms"
            case actionsExecuted = "actions_executed"
            case actionsFailed = "actions_failed"
            case verification
        }

        init(_ facts: RunFacts, nowMs: Int64) {
            runID = facts.request.runID
            state = facts.end?.state
            durationMs = facts.end?.durationMs ?? nowMs - facts.requestedAtMs
            actionsExecuted = facts.actionsExecuted
            actionsFailed = facts.actionsFailed
            verification = facts.verification
        }
    }

    /// Replication counts as synchronous when the policy tolerates no loss (`rpo_s: 0`).
    ///
    /// - Parameter hooks: who answers the policy's hooks. They are called on the calling thread.
    package static func run(
        cluster: Cluster, policy: FailoverPolicy, scenario: Scenario, seed: UInt64,
        hooks: any SimulatedHooks
    ) -> Report {
        var settings = WorldSettings(
            seed: seed, cluster: cluster.readyToSimulate, policy: policy,
            isSynchronous: policy.rpoS == 0)
        settings.writeIntervalMs = 50
        settings.isTraced = true
        settings.hooks = hooks
        let world = World(settings)
        let untilMs = schedule(scenario, seed, in: world)
        world.run(untilMs: untilMs)
        return report(world, scenario, seed)
    }

    private static func report(_ world: World, _ scenario: Scenario, _ seed: UInt64) -> Report {
        let state = world.clusterState
        var outages = world.writes.gaps.map {
            Outage(fromMs: $0.fromMs, lengthMs: $0.untilMs - $0.fromMs)
        }
        let silentMs = world.nowMs - world.writes.lastAtMs
        if silentMs > 1000 {
            outages.append(Outage(fromMs: world.writes.lastAtMs, lengthMs: silentMs))
        }
        var holds: [String] = []
        for decision in world.decisions where decision.kind == "hold" && decision.text != "none" {
            let rule = String(decision.text.prefix { $0 != ":" })
            if !holds.contains(rule) { holds.append(rule) }
        }
        return Report(
            clusterID: world.clusterID, policyID: world.settings.policy.policyID,
            scenario: scenario, seed: seed, simulatedMs: world.nowMs,
            events: world.lines.filter { !$0.contains("  ** ") }, timeline: world.decisions,
            outages: outages, longestOutageMs: outages.map(\.lengthMs).max() ?? 0,
            rtoMs: world.settings.policy.rtoS * 1000, holds: holds, hooks: world.hookBases,
            // A run that a policy refused has moved nothing.
            failovers: world.decisions.count { $0.kind == "primary" },
            lostWrites: world.writes.lost,
            finalHealth: state?.health.rawValue ?? "UNKNOWN", finalPrimary: state?.primary ?? "",
            finalHold: state?.hold?.rule.rawValue,
            violation: world.violation.map { "\($0.rule): \($0.detail)" },
            lastRun: world.lastRun.map { Run($0, nowMs: world.nowMs) })
    }

    /// - Returns: until when to run, in milliseconds.
    private static func schedule(_ scenario: Scenario, _ seed: UInt64, in world: World) -> Int64 {
        var chance = Generator(seed: seed)
        let beginMs = 10_000 + chance.int(0...999)
        let primary = world.databases.firstIndex { $0.role == .primary } ?? 0
        let region = world.cluster.nodes[primary].region
        let lost = world.cluster.nodes.indices.filter { world.cluster.nodes[$0].region == region }
        func add(_ atMs: Int64, _ fault: Fault) { world.events.add(.fault(fault), atMs: atMs) }
        switch scenario {
        case .primaryFailure:
            if chance.chance(500) {
                add(beginMs, .databaseCrashes(node: primary))
            } else {
                add(beginMs, .machineStops(node: primary, ms: 60_000))
            }
        case .regionFailure:
            for node in lost { add(beginMs, .machineStops(node: node, ms: 60_000)) }
        case .randomFailures:
            let plan = FaultPlan(settings: world.settings, faultMs: 120_000)
            for (atMs, fault) in plan.faults { add(atMs, fault) }
            return 180_000
        case .partition:
            let inside = lost.map { $0 + 1 }
            let outside = (0...world.nodeCount).filter { !inside.contains($0) }
            for one in inside {
                for other in outside {
                    add(beginMs, .cut(from: one, to: other, ms: 43_000))
                    add(beginMs, .cut(from: other, to: one, ms: 43_000))
                }
            }
        case .flapping:
            for number in 0..<5 {
                add(beginMs + Int64(number) * 15_000, .databaseCrashes(node: -1))
            }
            return 180_000
        case .recovery:
            add(beginMs, .machineStops(node: primary, ms: 30_000))
            add(beginMs + 5000, .serveDies(ms: 4000))
        }
        return 120_000
    }
}

extension Cluster {
    /// With addresses where the file gives none: nobody is called.
    var readyToSimulate: Cluster {
        var cluster = self
        for index in cluster.nodes.indices {
            let name = cluster.nodes[index].nodeID
            cluster.nodes[index].agentURL = cluster.nodes[index].agentURL ?? "http://\(name):7000"
            cluster.nodes[index].serviceAddress =
                cluster.nodes[index].serviceAddress ?? "\(name):5432"
        }
        return cluster
    }
}
