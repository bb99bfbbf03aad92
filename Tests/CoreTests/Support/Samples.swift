import ContinuityCore
import ContinuityCrypto

extension ContentDigest {
    static let real = ContentDigest { SHA256.digest($0) }
}

/// Three nodes in two regions, as in the demo.
func sampleCluster() -> Cluster {
    func node(_ number: Int, _ role: NodeRole, _ region: String, _ site: String) -> Node {
        Node(
            nodeID: NodeID("node-\(number)"), hostname: "node-\(number)", role: role,
            region: region, site: site, agentURL: "http://127.0.0.1:\(7100 + number)",
            serviceAddress: "127.0.0.1:\(5430 + number)")
    }
    return Cluster(
        clusterID: "demo", name: "Demo", regions: ["region-1", "region-2"],
        nodes: [
            node(1, .primary, "region-1", "site-a"), node(2, .secondary, "region-1", "site-b"),
            node(3, .secondary, "region-2", "site-c"),
        ])
}

func samplePolicy(hooks: [HookBinding] = []) -> FailoverPolicy {
    FailoverPolicy(
        policyID: "policy", regionPriority: ["region-1", "region-2"],
        sitePriority: ["site-a", "site-b", "site-c"], cooldownS: 0, hooks: hooks)
}

/// A cluster of any size whose nodes differ in every field that selection looks at.
func largeCluster(_ count: Int) -> Cluster {
    let nodes = (0..<count).map { index -> Node in
        let number = Int64(index)
        return Node(
            nodeID: NodeID("node-\(index)"), role: index == 0 ? .primary : .secondary,
            region: "region-\(index % 7)", site: "site-\(index % 31)",
            priority: number * 37 % 1001, capacity: number * 13 % 101, lagMs: number * 71 % 5000)
    }
    return Cluster(clusterID: "large", nodes: nodes)
}
