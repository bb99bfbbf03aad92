import ContinuityConfig
import ContinuityCore
import ContinuityTransport
import Foundation
import HTTPTypes
import Hummingbird

/// `POST /simulate`: what would happen to the cluster under the policy, in simulated time.
extension APIServer {
    private static let nodesMax = 16

    func simulateAnswer(
        _ request: Request, _ context: APIContext, _ exchange: Exchange
    ) async throws -> Response {
        let (reader, bytes) = try await Self.reader(request)
        let known = simulations.port?.scenarios ?? []
        let scenario = try Self.described { () throws(ConfigError) in
            try Self.scenario(reader, known)
        }
        let began = ContinuousClock.now
        let report = try await simulations.report(of: bytes)
        let simulationMs = Exchange.ms(since: began)
        let json = try JSONDecoder().decode(JSONValue.self, from: Data(report))
        var members = Self.members(json, Self.digest.hex(report))
        members["scenario"] = .string(scenario)
        members["report"] = json
        return exchange.answer(members, times: ["simulation": simulationMs])
    }

    private static func scenario(
        _ reader: ConfigReader, _ known: [String]
    ) throws(ConfigError) -> String {
        let cluster = try ClusterFile.read(reader.mapping("cluster"))
        _ = try PolicyFile.read(reader.mapping("policy"), for: cluster)
        let scenario = try reader.optionalString("scenario") ?? SimulationBody.scenarioDefault
        _ = try reader.int("seed", in: 0...Int64.max, default: SimulationBody.seedDefault)
        try reader.finish()
        guard known.contains(scenario) else {
            throw reader.error(
                "'scenario' is '\(scenario.prefix(80))'",
                remedy: "write one of: \(known.joined(separator: ", "))", at: "scenario")
        }
        guard cluster.topology == .activePassive else {
            throw reader.error(
                "an active_active cluster is not simulated yet",
                remedy: "simulate an active_passive one", at: "cluster")
        }
        guard cluster.nodes.count <= nodesMax else {
            throw reader.error(
                "the cluster has \(cluster.nodes.count) nodes",
                remedy: "at most \(nodesMax) are simulated here; 'continuity simulate' has no such "
                    + "limit", at: "cluster")
        }
        return scenario
    }

    /// The predecessor's fields, from the simulation's own checks: the verification of the run,
    /// and the invariants that were watched after every step.
    private static func members(_ report: JSONValue, _ digest: String) -> [String: JSONValue] {
        let run = report["last_run"]
        let deductions = run?["verification"]?["deductions"]?.array ?? []
        func holds(_ check: Verification.Check) -> Bool {
            !deductions.contains { $0["check"]?.string == check.rawValue }
        }
        let isSound = report["violation"]?.string == nil
        let isWell = ["HEALTHY", "DEGRADED"].contains(report["final_health"]?.string)
        let isConsistent = isSound && holds(.consistency)
        let isCommitted = run?["state"]?.string == RunOutcome.committed.rawValue
        let passed = isConsistent && isWell && holds(.quorum)
        return [
            "success": .bool(passed && (run == nil || isCommitted)),
            "failover": [
                "execution_id": run?["run_id"] ?? .null, "success": .bool(isCommitted),
                "actions_executed": run?["actions_executed"] ?? 0,
                "total_duration_ms": run?["duration_ms"] ?? 0,
            ],
            "verification": [
                "report_id": .string("report-" + digest.prefix(16)), "passed": .bool(passed),
                "consistency_ok": .bool(isConsistent), "policy_ok": .bool(holds(.policy)),
                "quorum_ok": .bool(isWell && holds(.quorum)),
            ],
        ]
    }
}

package enum SimulationBody {
    package static let scenarioDefault = "primary_failure"
    package static let seedDefault: Int64 = 42
}
