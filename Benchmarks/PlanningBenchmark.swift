import ContinuityCore
import ContinuityCrypto

/// How long one plan takes, its digest included.
enum PlanningBenchmark {
    private static let samples = 200
    private static let warmUp = 50

    static func run() throws -> [Result] {
        let three = try microseconds(nodes: 3, batch: 50)
        let thousand = try microseconds(nodes: 1000, batch: 2)
        let tenThousand = try microseconds(nodes: 10_000, batch: 1)
        return [
            Result(
                name: "planning, 3 nodes", value: three, unit: "µs",
                against: .init(name: "the budget of 20 µs", value: 20)),
            Result(
                name: "planning, 1,000 nodes", value: thousand, unit: "µs",
                against: .init(name: "the budget of 150 µs", value: 150)),
            Result(
                name: "planning, 10,000 nodes", value: tenThousand, unit: "µs",
                against: .init(name: "ten times 1,000 nodes", value: 10 * thousand)),
        ]
    }

    /// The median of many samples, each of a batch long enough for the clock.
    private static func microseconds(nodes: Int, batch: Int) throws -> Double {
        let digest = ContentDigest { SHA256.digest($0) }
        let cluster = cluster(of: nodes)
        let policy = FailoverPolicy(
            policyID: "benchmark", regionPriority: ["region-3", "region-1", "region-2"],
            sitePriority: ["site-7", "site-11"])
        let request = PlanRequest(kind: .failover, triggerReason: "node_unreachable")
        var durations: [Double] = []
        var bytes = 0
        for sample in 0..<(samples + warmUp) {
            let start = ContinuousClock.now
            for _ in 0..<batch {
                let plan = try Planner.plan(
                    cluster: cluster, policy: policy, request: request, digest: digest)
                bytes += plan.planID.rawValue.utf8.count
            }
            let elapsed = start.duration(to: .now)
            if sample >= warmUp {
                durations.append(elapsed / .microseconds(1) / Double(batch))
            }
        }
        precondition(bytes > 0, "the plans were made")
        return durations.sorted()[durations.count / 2]
    }

    private static func cluster(of count: Int) -> Cluster {
        let nodes = (0..<count).map { index -> Node in
            let number = Int64(index)
            return Node(
                nodeID: NodeID("node-\(index)"), role: index == 0 ? .primary : .secondary,
                region: "region-\(index % 7)", site: "site-\(index % 31)",
                priority: number * 37 % 1001, capacity: number * 13 % 101 + (count < 10 ? 1 : 0),
                lagMs: number * 71 % 5000)
        }
        return Cluster(clusterID: "benchmark", nodes: nodes)
    }
}
