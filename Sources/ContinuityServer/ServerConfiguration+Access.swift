import ContinuityAPI
import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import ContinuityTransport

/// Who the server is, who may ask it, and how much.
extension ServerConfiguration {
    /// - Throws: ``ConfigError``, also when it would listen without TLS and was not asked to.
    static func access(
        _ reader: ConfigReader, listen: Endpoint
    ) throws(ConfigError) -> AccessRules {
        var tls: TLSFiles?
        if let section = try reader.optionalMapping("tls") {
            tls = try TLSFiles.load(section) { reader.path(of: $0) }
            try section.finish()
        }
        let isPlainPermitted = try reader.bool("insecure_plain_http", default: false)
        if tls == nil { try checkPlain(listen, isPlainPermitted, reader) }
        let hasToken = try reader.optionalString("token_file") != nil
        let token = tls == nil || hasToken ? try SharedToken.load(reader) : nil
        var people: [AccessRules.Person] = []
        if try reader.json("people") != nil {
            for entry in try reader.list("people") { people.append(try person(entry)) }
        }
        if let twice = firstTwice(people.map(\.identity)) {
            throw reader.error(
                "the identity '\(twice)' is named twice", remedy: "keep one of them", at: "people")
        }
        if let twice = firstTwice(people.map { $0.name.lowercased() }),
            Set(people.map(\.name)).count == people.count
        {
            throw reader.error(
                "two names differ from '\(twice)' by case alone",
                remedy: "write the same name for the same person", at: "people")
        }
        var rules = AccessRules(
            tls: tls, sharedToken: token, people: people, agents: [],
            limits: try limits(reader))
        rules.groups = try groups(reader)
        return rules
    }

    private static func groups(
        _ reader: ConfigReader
    ) throws(ConfigError) -> [String: Set<String>] {
        var groups: [String: Set<String>] = [:]
        guard try reader.json("groups") != nil else { return groups }
        for entry in try reader.list("groups") {
            let name = try entry.string("name")
            guard groups[name] == nil else {
                throw entry.error(
                    "the group '\(name)' is named twice", remedy: "keep one of them", at: "name")
            }
            groups[name] = Set(try entry.strings("people"))
            try entry.finish()
        }
        return groups
    }

    private static func checkPlain(
        _ listen: Endpoint, _ isPermitted: Bool, _ reader: ConfigReader
    ) throws(ConfigError) {
        guard isPermitted else {
            throw reader.error(
                "there is no 'tls', and plain HTTP was not asked for",
                remedy: "give 'tls' certificate and ca ('continuity pki' makes them), or, for "
                    + "a trial on one machine, set insecure_plain_http: true", at: "listen")
        }
        guard listen.isLoopback else {
            throw reader.error(
                "'listen' is on \(listen.host), which other machines can reach, without TLS",
                remedy: "listen on 127.0.0.1, or give 'tls'", at: "listen")
        }
    }

    private static func person(_ entry: ConfigReader) throws(ConfigError) -> AccessRules.Person {
        let name = try entry.string("name")
        guard Identity.isPlain(name) else {
            throw entry.error(
                "'\(name)' is no name", remedy: "write letters, digits and any of -._~@+",
                at: "name")
        }
        guard name.lowercased() != Principal.anybody else {
            throw entry.error(
                "'\(name)' is the name of whoever holds the token of token_file",
                remedy: "write the person's own name", at: "name")
        }
        let identity =
            try entry.optionalString("identity") ?? "\(Identity.scheme)person/\(name)"
        guard Identity(uri: identity) != nil else {
            throw entry.error(
                "'\(identity)' is no identity",
                remedy: "write the URI of the person's certificate", at: "identity")
        }
        let role: AccessRole = try entry.choice("role", default: .viewer)
        let clusters = try entry.strings("clusters", default: []).map { ClusterID($0) }
        let pins = try pins(entry)
        try entry.finish()
        return AccessRules.Person(
            name: name, identity: identity, role: role, clusters: clusters, pins: pins)
    }

    private static func pins(_ entry: ConfigReader) throws(ConfigError) -> [Pin] {
        var pins: [Pin] = []
        for text in try entry.strings("pins", default: []) {
            guard let pin = Pin(text) else {
                throw entry.error(
                    "'\(text)' is no pin",
                    remedy: "write it as 'continuity pki show' prints it: sha256/BASE64",
                    at: "pins")
            }
            pins.append(pin)
        }
        return pins
    }

    /// Every node has an agent; `agents` says what is special about some of them.
    static func agents(
        _ reader: ConfigReader, _ clusters: [ClusterConfigured]
    ) throws(ConfigError) -> [AccessRules.Agent] {
        var agents: [String: AccessRules.Agent] = [:]
        for cluster in clusters.map(\.cluster) {
            for node in cluster.nodes {
                agents["\(cluster.clusterID)/\(node.nodeID)"] = AccessRules.Agent(
                    cluster: cluster.clusterID, node: node.nodeID)
            }
        }
        guard try reader.json("agents") != nil else { return Array(agents.values) }
        for entry in try reader.list("agents") {
            let name = try entry.string("node")
            guard let known = agents[name] else {
                throw entry.error(
                    "there is no node '\(name)'",
                    remedy: "write CLUSTER/NODE; known: "
                        + agents.keys.sorted().joined(separator: ", "), at: "node")
            }
            agents[name] = AccessRules.Agent(
                cluster: known.cluster, node: known.node,
                identity: try entry.optionalString("identity"), pins: try pins(entry))
            try entry.finish()
        }
        if let twice = firstTwice(agents.values.map(\.identity)) {
            throw reader.error(
                "the identity '\(twice)' is that of two nodes", remedy: "give each its own",
                at: "agents")
        }
        return agents.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func limits(_ reader: ConfigReader) throws(ConfigError) -> AccessLimits {
        var limits = AccessLimits()
        guard let section = try reader.optionalMapping("limits") else { return limits }
        func number(_ key: String, _ value: inout Int) throws(ConfigError) {
            value = Int(try section.int(key, in: 1...1_000_000, default: Int64(value)))
        }
        func time(_ key: String, _ value: inout Duration) throws(ConfigError) {
            let usual = value.components.seconds * 1000
            value = .milliseconds(try section.int(key, in: 100...3_600_000, default: usual))
        }
        try number("requests_per_s_of_identity", &limits.perIdentity)
        try number("requests_per_s_of_address", &limits.perAddress)
        try number("concurrent_of_identity", &limits.concurrentPerIdentity)
        try number("concurrent", &limits.concurrent)
        try number("connections", &limits.bounds.connectionsMax)
        try number("connections_of_address", &limits.bounds.connectionsOfAddressMax)
        try number("silent_connections_of_address", &limits.bounds.silentOfAddressMax)
        try number("headers", &limits.bounds.headersMax)
        try number("header_bytes", &limits.bounds.headerBytesMax)
        try time("head_ms", &limits.bounds.headTime)
        try time("body_ms", &limits.bounds.bodyTime)
        try time("response_ms", &limits.bounds.responseTime)
        try time("idle_ms", &limits.bounds.idleTime)
        try section.finish()
        return limits
    }

    private static func firstTwice(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.sorted().first { !seen.insert($0).inserted }
    }
}
