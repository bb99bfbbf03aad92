package import ContinuityCore

/// A cluster description in YAML or JSON, with the field names of DESIGN section 3.
package enum ClusterFile {
    /// - Throws: ``ConfigError`` with the line of the first mistake: unknown, missing or mistyped
    ///   fields, duplicate ids, two primaries, a quorum below the majority.
    package static func load(file: String) throws(ConfigError) -> Cluster {
        try read(ConfigReader.load(file: file))
    }

    /// - Parameter needsPrimary: Whether an active/passive cluster must say who its primary is.
    package static func read(
        _ reader: ConfigReader, needsPrimary: Bool = true
    ) throws(ConfigError) -> Cluster {
        let nodeReaders = try reader.list("nodes")
        var nodes: [Node] = []
        for nodeReader in nodeReaders { nodes.append(try node(nodeReader)) }
        let id = ClusterID(try reader.string("cluster_id"))
        let quorum = try reader.optionalInt("quorum_size", in: 1...100_000)
        var cluster = Cluster(
            clusterID: id,
            name: try reader.optionalString("name") ?? id.rawValue,
            topology: try reader.choice("topology", default: .activePassive),
            quorumSize: quorum.map { Int($0) },
            regions: try reader.strings("regions", default: []),
            nodes: nodes,
            metadata: try reader.stringMap("metadata"))
        if try reader.optionalString("service_probe") != nil {
            cluster.serviceProbe = try reader.choice("service_probe")
        }
        try reader.finish()
        try checkDistinct(nodeReaders, cluster.nodes)
        if let problem = cluster.firstProblem(needsPrimary: needsPrimary) {
            let place = problem.nodeIndex.map { nodeReaders[$0] } ?? reader
            throw place.error(problem.message, remedy: problem.remedy, at: problem.field)
        }
        return cluster
    }

    private static func node(_ reader: ConfigReader) throws(ConfigError) -> Node {
        let id = NodeID(try reader.string("node_id"))
        let node = Node(
            nodeID: id,
            hostname: try reader.optionalString("hostname") ?? id.rawValue,
            role: try reader.choice("role"),
            region: try reader.optionalString("region") ?? "",
            site: try reader.optionalString("site") ?? "",
            status: try reader.choice("status", default: .healthy),
            priority: try reader.int("priority", in: 0...1000, default: 100),
            capacity: try reader.int("capacity", in: 0...100, default: 100),
            weight: try reader.int("weight", in: 0...1000, default: 100),
            lagMs: try reader.optionalInt("lag_ms", in: 0...Int64.max),
            agentURL: try agentURL(reader), serviceAddress: try serviceAddress(reader),
            metadata: try reader.stringMap("metadata"))
        try reader.finish()
        return node
    }

    private static func agentURL(_ reader: ConfigReader) throws(ConfigError) -> String? {
        guard let text = try reader.optionalString("agent_url") else { return nil }
        do {
            _ = try BaseURL(parsing: text)
        } catch {
            throw reader.fault(error, text, "agent_url")
        }
        // Paths are put behind it.
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func serviceAddress(_ reader: ConfigReader) throws(ConfigError) -> String? {
        guard try reader.optionalString("service_address") != nil else { return nil }
        return try reader.endpoint("service_address").description
    }

    /// Two nodes at one address are one node: an order to either would reach the same service.
    private static func checkDistinct(
        _ readers: [ConfigReader], _ nodes: [Node]
    ) throws(ConfigError) {
        var owners: [String: NodeID] = [:]
        for (reader, node) in zip(readers, nodes) {
            let url = node.agentURL.flatMap { try? BaseURL(parsing: $0) }
            for (field, address) in [
                ("agent_url", url?.description), ("service_address", node.serviceAddress),
            ] {
                guard let address else { continue }
                if let other = owners.updateValue(node.nodeID, forKey: "\(field) \(address)") {
                    throw reader.error(
                        "'\(field)' of '\(node.nodeID)' is \(address), which '\(other)' has",
                        remedy: "give each node an address of its own", at: field)
                }
            }
        }
    }
}
