import ContinuityCore

/// What a pack may reach: as its manifest asks for it, or as the operator grants it. Both are read
/// by one reader, so that they speak one language.
package struct CapabilityRules: Hashable, Sendable {
    /// Who wrote the section: a manifest may ask for any host or zone (`*`), and it has no say in
    /// what only the operator knows (addresses, keys).
    package enum Author: Sendable { case manifest, grant }

    package var http: [HTTPRule] = []
    package var dns: [DNSRule] = []
    /// Names of agent commands: fixed ones, and effects of the agents' own configuration.
    package var agentCommands: Set<String> = []
    /// Names of the agents' own commands that only read.
    package var agentReads: Set<String> = []
    /// The nodes whose agents may be asked; empty: every node of the cluster.
    package var agentNodes: Set<String> = []
    package var haproxy: [HAProxyRule] = []
    package var notifyChannels: Set<String> = []
    package var secrets: Set<String> = []

    package init() {}

    /// Fixed commands that a hook may give to an agent. The others can make a node primary or
    /// throw data away; they belong to the run machine, which guards them with leases, promises
    /// and receipts.
    package static let grantableAgentCommands = ["demote", "fence", "follow", "prepare", "status"]

    /// Whether a hook may ask for the command at all: a fixed one, or one that agents have of
    /// their own.
    package static func isAgentCommand(_ name: String) -> Bool {
        grantableAgentCommands.contains(name) || AgentCommand.isProgramName(name)
    }

    package init(reading reader: ConfigReader, author: Author) throws(ConfigError) {
        for section in try reader.list("http") {
            http.append(try HTTPRule(reading: section, author: author))
        }
        for section in try reader.list("dns") {
            dns.append(try DNSRule(reading: section, author: author))
        }
        if let section = try reader.optionalMapping("agent") {
            try readAgent(section, author)
        }
        for section in try reader.list("haproxy") {
            haproxy.append(try HAProxyRule(reading: section, author: author))
        }
        notifyChannels = try Self.channels(reader, author)
        secrets = Set(try reader.strings("secrets", default: []))
        try reader.finish()
    }

    private mutating func readAgent(
        _ section: ConfigReader, _ author: Author
    ) throws(ConfigError) {
        agentReads = Set(try section.strings("reads", default: []))
        agentCommands = Set(
            try section.strings("commands", default: agentReads.isEmpty ? nil : []))
        if author == .grant { agentNodes = Set(try section.strings("nodes", default: [])) }
        try section.finish()
        if let unknown = agentCommands.sorted().first(where: { !Self.isAgentCommand($0) }) {
            throw section.error(
                "'\(unknown)' is no agent command that a hook can give",
                remedy: "known: " + Self.grantableAgentCommands.joined(separator: ", ")
                    + ", and what the agents' 'hook_commands' name; the others belong to the run "
                    + "itself", at: "commands")
        }
        if let unknown = agentReads.sorted().first(where: { !AgentCommand.isProgramName($0) }) {
            throw section.error(
                "'\(unknown)' is no reading of an agent's own",
                remedy: "name commands of the agents' 'hook_commands' that have reads_only: true"
                    + " ('status' belongs under 'commands')", at: "reads")
        }
    }

    /// A manifest writes `notify: {channels: […]}`, a grant `notify: […]`.
    private static func channels(
        _ reader: ConfigReader, _ author: Author
    ) throws(ConfigError) -> Set<String> {
        guard author == .manifest else {
            return Set(try reader.strings("notify", default: []))
        }
        guard let section = try reader.optionalMapping("notify") else { return [] }
        let channels = try section.strings("channels")
        guard !channels.isEmpty, !channels.contains("") else {
            throw section.error(
                "'capabilities.notify.channels' names no channel",
                remedy: "name the channels, or write [\"*\"] for those the operator grants",
                at: "channels")
        }
        try section.finish()
        return Set(channels)
    }

    package var isEmpty: Bool { self == CapabilityRules() }

    /// Every secret that the rules themselves use: for signatures, never shown to a script.
    package var ruleSecrets: [String] {
        http.flatMap { rule in
            rule.aws.map { [$0.accessKeySecret, $0.secretKeySecret] } ?? []
        } + dns.compactMap { $0.tsig?.secret }
    }
}

/// `http` of one service: where to, what, and how.
package struct HTTPRule: Hashable, Sendable {
    package struct AWS: Hashable, Sendable {
        package var service: String
        package var region: String
        package var accessKeySecret: String
        package var secretKeySecret: String
    }

    package static let methods = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]

    /// `name`, `name:port`, `*.name`, or with `http://` before it where TLS is not used.
    package var hosts: [String]
    package var methods: Set<String>
    /// Exact, or with `*` at the end.
    package var paths: [String]
    package var redirects = false
    package var allowPrivate = false
    /// SHA-256 of the public key (SPKI), in Base64.
    package var pins: [String] = []
    package var caFile: String?
    package var aws: AWS?

    init(reading reader: ConfigReader, author: CapabilityRules.Author) throws(ConfigError) {
        hosts = try reader.strings("hosts").map { $0.lowercased() }
        methods = Set(try reader.strings("methods", default: ["GET"]))
        paths = try reader.strings("paths", default: author == .manifest ? ["/*"] : nil)
        if author == .grant {
            redirects = try reader.bool("redirects", default: false)
            allowPrivate = try reader.bool("allow_private", default: false)
            pins = try reader.strings("pins", default: [])
            caFile = try reader.optionalString("ca_file")
            if let section = try reader.optionalMapping("aws") {
                aws = AWS(
                    service: try section.string("service"), region: try section.string("region"),
                    accessKeySecret: try section.string("access_key_secret"),
                    secretKeySecret: try section.string("secret_key_secret"))
                try section.finish()
            }
        }
        try reader.finish()
        try check(reader, author)
    }

    /// `name`, `name:port`, `*.name`, an address, `[address]:port`, each with or without a scheme.
    private static func checkHost(_ text: String) throws(Endpoint.Fault) {
        var rest = text[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        if rest.hasPrefix("*.") { rest = rest.dropFirst(2) }
        let bracketless = rest.utf8.count { $0 == UInt8(ascii: ":") } > 1 && !rest.hasPrefix("[")
        guard !bracketless else {
            throw Endpoint.Fault(
                message: "an IPv6 address stands without brackets", remedy: "write [\(rest)]")
        }
        _ = try Endpoint(parsing: String(rest), defaultPort: 443)
    }

    private func check(
        _ reader: ConfigReader, _ author: CapabilityRules.Author
    ) throws(ConfigError) {
        guard !hosts.isEmpty else {
            throw reader.error("'hosts' is empty", remedy: "name the hosts", at: "hosts")
        }
        if author == .grant, hosts.contains("*") {
            throw reader.error(
                "'hosts' grants every host", remedy: "name the hosts that are meant", at: "hosts")
        }
        for host in hosts where host != "*" {
            do {
                try Self.checkHost(host)
            } catch {
                throw reader.fault(error, host, "hosts")
            }
        }
        if let unknown = methods.sorted().first(where: { !Self.methods.contains($0) }) {
            throw reader.error(
                "'methods' names '\(unknown)'",
                remedy: "known: \(Self.methods.joined(separator: ", "))", at: "methods")
        }
        guard !paths.isEmpty, paths.allSatisfy({ $0.hasPrefix("/") }) else {
            throw reader.error(
                "'paths' must hold paths that begin with '/'",
                remedy: "write [\"/v1/*\"], for example", at: "paths")
        }
        if let caFile, !caFile.hasPrefix("/") {
            throw reader.error(
                "'ca_file' is '\(caFile)'", remedy: "write an absolute path", at: "ca_file")
        }
        for pin in pins {
            guard pin.utf8.count == 44, pin.hasSuffix("=") else {
                throw reader.error(
                    "the pin '\(pin)' is no SHA-256 in Base64",
                    remedy: "openssl x509 -pubkey -noout -in CERT | openssl pkey -pubin "
                        + "-outform der | openssl dgst -sha256 -binary | base64", at: "pins")
            }
        }
    }
}

/// `dns`: which records of which zones, and, in a grant, at which server with which key.
package struct DNSRule: Hashable, Sendable {
    package struct TSIG: Hashable, Sendable {
        package static let algorithms = [
            "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512",
        ]
        package var name: String
        package var algorithm: String
        package var secret: String
    }

    package static let types = ["A", "AAAA", "CNAME", "SRV", "TXT"]

    /// `host:port`; empty in a manifest.
    package var server = ""
    package var zones: [String]
    /// Full names; `*` stands for every name of the zones.
    package var records: [String]
    package var types: Set<String>
    package var tsig: TSIG?

    init(reading reader: ConfigReader, author: CapabilityRules.Author) throws(ConfigError) {
        zones = try reader.strings("zones").map(Self.canonical)
        records = try reader.strings("records", default: author == .manifest ? ["*"] : nil)
            .map(Self.canonical)
        types = Set(try reader.strings("types", default: ["A", "AAAA", "CNAME"]))
        if author == .grant {
            server = try reader.endpoint("server", defaultPort: 53).description
            if let section = try reader.optionalMapping("tsig") {
                let key = TSIG(
                    name: try section.string("name"),
                    algorithm: try section.optionalString("algorithm") ?? "hmac-sha256",
                    secret: try section.string("secret"))
                guard TSIG.algorithms.contains(key.algorithm) else {
                    throw section.error(
                        "'algorithm' is '\(key.algorithm)'",
                        remedy: "write one of: \(TSIG.algorithms.joined(separator: ", "))",
                        at: "algorithm")
                }
                tsig = key
                try section.finish()
            }
        }
        try reader.finish()
        if let unknown = types.sorted().first(where: { !Self.types.contains($0) }) {
            throw reader.error(
                "'types' names '\(unknown)'",
                remedy: "known: \(Self.types.joined(separator: ", "))", at: "types")
        }
        if author == .grant, zones.isEmpty || zones.contains("*") || records.isEmpty {
            throw reader.error(
                "the grant names no zone or no record", remedy: "name those that are meant",
                at: "zones")
        }
    }

    /// Lower case, without the dot of the root.
    package static func canonical(_ name: String) -> String {
        let lower = name.lowercased()
        return lower.count > 1 && lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}

/// `haproxy`: commands to a runtime API.
package struct HAProxyRule: Hashable, Sendable {
    /// `host:port`, or the path of a UNIX socket; empty in a manifest.
    package var address = ""
    /// The words that a command may begin with.
    package var commands: [String]

    init(reading reader: ConfigReader, author: CapabilityRules.Author) throws(ConfigError) {
        commands = try reader.strings("commands")
        if author == .grant {
            address = try reader.string("address")
            if !address.hasPrefix("/") { address = try reader.endpoint("address").description }
        }
        try reader.finish()
        guard !commands.isEmpty, !commands.contains("") else {
            throw reader.error(
                "'commands' is empty", remedy: "name the first words of the commands",
                at: "commands")
        }
    }
}
