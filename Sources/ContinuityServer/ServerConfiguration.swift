package import ContinuityAPI
import ContinuityAlerts
import ContinuityBroker
package import ContinuityConfig
package import ContinuityCore
package import ContinuityHooks
import Foundation

/// What `continuity serve --config FILE` reads. Relative paths start at the folder of the file
/// that names them.
package struct ServerConfiguration: Sendable {
    package var file: String
    package var instanceID: String
    package var host: String
    package var port: Int
    /// Who may ask, and how much.
    package var access: AccessRules
    package var journal: String
    package var audit: AuditConfiguration
    package var hookWorkers: Int
    package var hookStrictness: SandboxStrictness
    /// How many hook calls are kept on disk for `hooks replay`.
    var recordings: Int
    var packFolders: [String]
    /// The most that a pack's manifest may ask for.
    var ceiling: HookBudgets
    var packs: [String: HookPack]
    /// Packs that cannot be used. No policy binds one, else the configuration is refused.
    package var rejectedPacks: [HookPacksChanged.Rejection] = []
    package var clusters: [ClusterConfigured]
    var alerts: [AlertChannelConfiguration]
    /// What hooks may use without holding it.
    var secrets: SecretStore
    /// Across all clusters.
    var brake = BrakeSettings()

    /// - Throws: ``ConfigError`` naming file, line and remedy, before anything is started.
    package static func load(file: String) throws(ConfigError) -> ServerConfiguration {
        let reader = try ConfigReader.load(file: file)
        let address = try reader.endpoint("listen")
        let alerts = try AlertChannelConfiguration.loadList(from: reader)
        let hooks = try hooks(reader)
        let secrets = try SecretStore(
            reading: reader.optionalMapping("secrets"),
            folder: URL(fileURLWithPath: file).deletingLastPathComponent().path)
        var configuration = ServerConfiguration(
            file: file,
            instanceID: try reader.optionalString("instance_id") ?? "serve",
            host: address.host, port: address.port,
            access: try access(reader, listen: address),
            journal: reader.path(of: try reader.string("journal")),
            audit: try AuditConfiguration(reading: reader.optionalMapping("audit")),
            hookWorkers: hooks.workers, hookStrictness: hooks.strictness,
            recordings: hooks.recordings, packFolders: hooks.folders, ceiling: hooks.ceiling,
            packs: hooks.packs, clusters: [], alerts: alerts, secrets: secrets)
        configuration.clusters = try clusters(
            reader, hooks, alerts.map(\.name), secrets)
        configuration.rejectedPacks = hooks.rejected
        configuration.brake = try BrakeSection.read(reader)
        configuration.access.agents = try agents(reader, configuration.clusters)
        configuration.access.linkApprovers = Set(alerts.compactMap { $0.approver?.person })
        try checkSchemes(configuration)
        try reader.finish()
        return configuration
    }

    /// Orders go by the same way as everything else.
    private static func checkSchemes(
        _ configuration: ServerConfiguration
    ) throws(ConfigError) {
        let scheme = configuration.access.tls == nil ? "http://" : "https://"
        for cluster in configuration.clusters.map(\.cluster) {
            for node in cluster.nodes {
                guard let url = node.agentURL, !url.hasPrefix(scheme) else { continue }
                throw ConfigError(
                    file: configuration.file, line: nil,
                    message: "the agent of '\(node.nodeID)' is at \(url)",
                    remedy: "write it as \(scheme)…, as 'tls' has it here and at the agents")
            }
        }
    }

    // MARK: Hooks

    private struct HookSection {
        var workers = 2
        var strictness = SandboxStrictness.standard
        var recordings = Int(RecordingStore.countDefault)
        var folders: [String] = []
        /// The most that a manifest may ask for.
        var ceiling = HookBudgets.maximum
        var packs: [String: HookPack] = [:]
        var rejected: [HookPacksChanged.Rejection] = []
    }

    private static func hooks(_ reader: ConfigReader) throws(ConfigError) -> HookSection {
        guard let section = try reader.optionalMapping("hooks") else { return HookSection() }
        let strictness: SandboxStrictness = try section.choice("sandbox", default: .standard)
        let ceiling = try HookBudgets.ceilings(reading: section.optionalMapping("ceilings"))
        let workers = Int(
            try section.int("workers", in: 1...Int64(HookRuntime.workersMax), default: 2))
        let recordings = Int(
            try section.int("recordings", in: 0...100_000, default: RecordingStore.countDefault))
        let folders = try section.strings("packs", default: []).map(reader.path(of:))
        for folder in folders
        where (try? FileManager.default.contentsOfDirectory(atPath: folder)) == nil {
            throw section.error(
                "the folder '\(folder)' cannot be read",
                remedy: "name a folder that holds packs", at: "packs")
        }
        let (packs, rejected) = scan(folders, ceiling: ceiling, keeping: [:])
        try section.finish()
        return HookSection(
            workers: workers, strictness: strictness, recordings: recordings, folders: folders,
            ceiling: ceiling, packs: packs, rejected: rejected)
    }

    /// A pack's author has a say in why it is rejected, and the reason is journaled.
    private static let reasonCountMax = 500

    /// Reads the folders. A pack that cannot be read is reported, and stays as it was.
    static func scan(
        _ folders: [String], ceiling: HookBudgets, keeping old: [String: HookPack]
    ) -> (packs: [String: HookPack], rejected: [HookPacksChanged.Rejection]) {
        var packs: [String: HookPack] = [:]
        var rejected: [HookPacksChanged.Rejection] = []
        // By name: where it stands. A name that stands twice is taken from neither.
        var places: [String: String] = [:]
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            for name in names.sorted() {
                let path = folder + "/" + name
                guard FileManager.default.fileExists(atPath: path + "/hook.yaml") else { continue }
                let known = old.values.first { $0.folder == path }
                do {
                    let pack = try HookPack.load(folder: path, ceiling: ceiling)
                    let name = pack.manifest.name
                    if let other = places[name] {
                        rejected.append(
                            .init(pack: name, reason: "it stands in \(other) and \(path)"))
                        packs[name] = old[name]
                    } else {
                        places[name] = path
                        packs[name] = pack
                    }
                } catch {
                    rejected.append(
                        .init(
                            pack: known?.manifest.name ?? name,
                            reason: SafeText.line("\(error)", countMax: reasonCountMax)))
                    if let known { packs[known.manifest.name] = known }
                }
            }
        }
        return (packs, rejected)
    }

    // MARK: Clusters

    private static func clusters(
        _ reader: ConfigReader, _ hooks: HookSection, _ channels: [String], _ secrets: SecretStore
    ) throws(ConfigError) -> [ClusterConfigured] {
        let entries = try reader.list("clusters")
        guard !entries.isEmpty else {
            throw reader.error(
                "no cluster is named",
                remedy: "list 'cluster_file' and 'policy_file' under 'clusters'")
        }
        var clusters: [ClusterConfigured] = []
        for entry in entries {
            let clusterFile = reader.path(of: try entry.string("cluster_file"))
            let policyFile = reader.path(of: try entry.string("policy_file"))
            try entry.finish()
            let cluster = try ClusterFile.load(file: clusterFile)
            guard !clusters.contains(where: { $0.cluster.clusterID == cluster.clusterID }) else {
                throw entry.error(
                    "the cluster '\(cluster.clusterID)' is named twice",
                    remedy: "give each cluster an id of its own", at: "cluster_file")
            }
            try checkAddresses(cluster, clusterFile)
            var policy = try PolicyFile.load(file: policyFile, for: cluster)
            try resolve(&policy, policyFile, hooks, channels, secrets)
            clusters.append(
                ClusterConfigured(cluster: cluster, policy: policy, alertChannels: channels))
        }
        return clusters
    }

    private static func checkAddresses(
        _ cluster: Cluster, _ file: String
    ) throws(ConfigError) {
        for node in cluster.nodes {
            let missing =
                node.agentURL == nil
                ? "agent_url"
                : node.holdsData && node.serviceAddress == nil ? "service_address" : nil
            guard let missing else { continue }
            throw ConfigError(
                file: file, line: nil, message: "'\(node.nodeID)' has no '\(missing)'",
                remedy: "'serve' needs it to reach the node")
        }
    }

    /// Binds the policy's hooks to the packs that are there, so that a run cannot meet a missing
    /// one.
    private static func resolve(
        _ policy: inout FailoverPolicy, _ file: String, _ section: HookSection,
        _ channels: [String], _ secrets: SecretStore
    ) throws(ConfigError) {
        for index in policy.hooks.indices {
            let binding = policy.hooks[index]
            func error(_ message: String, _ remedy: String) -> ConfigError {
                ConfigError(
                    file: file, line: nil, message: "hooks[\(index)]: \(message)", remedy: remedy)
            }
            guard let pack = section.packs[binding.pack] else {
                if let rejection = section.rejected.first(where: { $0.pack == binding.pack }) {
                    throw error(
                        "the pack '\(binding.pack)' cannot be used: \(rejection.reason)",
                        "correct the pack; 'continuity hooks check' looks at it")
                }
                throw error(
                    "there is no pack '\(binding.pack)'",
                    "known: \(section.packs.keys.sorted().joined(separator: ", "))")
            }
            if let problem = problem(of: binding, with: pack) {
                throw error(problem.message, problem.remedy)
            }
            if let unknown = binding.grantedChannels.first(where: { !channels.contains($0) }) {
                throw error(
                    "the channel '\(unknown)' is granted, but not configured",
                    "add it under 'alerts'")
            }
            let grant = try binding.grant.map { json throws(ConfigError) in
                try HookGrant(json: json)
            }
            let used = (grant?.rules.secrets ?? []).union(grant?.rules.ruleSecrets ?? [])
            if let unknown = used.subtracting(secrets.names).sorted().first {
                throw error(
                    "the secret '\(unknown)' is granted, but not configured",
                    "add it under 'secrets' in the server's configuration")
            }
            if let fault = grant?.rules.fault(with: secrets) {
                throw error(fault.message, fault.remedy)
            }
            bind(&policy.hooks[index], to: pack)
        }
    }

    package struct BindingProblem: Error {
        package let message: String
        package let remedy: String
    }

    /// Why a pack does not fit what a policy binds it to.
    package static func problem(of binding: HookBinding, with pack: HookPack) -> BindingProblem? {
        guard pack.manifest.stages.contains(binding.stage) else {
            return BindingProblem(
                message: "the pack '\(binding.pack)' is not made for the stage "
                    + "'\(binding.stage.rawValue)'",
                remedy: "its stages: "
                    + pack.manifest.stages.map(\.rawValue).joined(separator: ", "))
        }
        if let pinned = binding.pinnedSHA256, pinned != pack.packSHA256 {
            return BindingProblem(
                message: "the pack '\(binding.pack)' is pinned to \(pinned), but in "
                    + "\(pack.folder) stands \(pack.packSHA256)",
                remedy: "look at what changed in the pack, then correct 'pack_sha256', or put the "
                    + "pinned version back")
        }
        do {
            _ = try pack.manifest.config.resolve(binding.configuration)
            return nil
        } catch {
            return BindingProblem(message: "\(error)", remedy: "see the pack's README.md")
        }
    }

    /// Writes into a binding what follows from the pack.
    package static func bind(_ binding: inout HookBinding, to pack: HookPack) {
        if binding.followsBudget == true { binding.timeoutMs = pack.manifest.budgets.wallMs }
        binding.repeatable = pack.manifest.repeatable
        binding.packSHA256 = pack.packSHA256
        binding.digests = HookDigests(
            script: pack.scriptSHA256, manifest: pack.manifestSHA256,
            grant: binding.grant.flatMap { try? HookGrant(json: $0) }?.sha256)
        binding.skippedInDrills = pack.manifest.drill == .skip ? true : nil
        binding.acts = pack.manifest.kind == .action ? nil : false
    }
}

extension ConfigReader {
    /// A path as it is meant: beside this file, unless it is absolute.
    func path(of path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        return URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: path).path
    }
}

/// The token that `serve`, its agents and the command line share where there is no TLS; with it,
/// the first admin's.
package enum SharedToken {
    package static let minimumBytes = 16

    static func load(_ reader: ConfigReader) throws(ConfigError) -> [UInt8] {
        let file = reader.path(of: try reader.string("token_file"))
        return try load(file: file)
    }

    package static func load(file: String) throws(ConfigError) -> [UInt8] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ConfigError(
                file: file, line: nil, message: "the token file cannot be read",
                remedy: "make one: head -c 32 /dev/urandom | base64 > FILE, chmod 600 FILE")
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o007 == 0 else {
            throw ConfigError(
                file: file, line: nil, message: "the token file can be read by everyone",
                remedy: "chmod 600 \(file)")
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.count >= minimumBytes else {
            throw ConfigError(
                file: file, line: 1, message: "the token has fewer than \(minimumBytes) characters",
                remedy: "make a longer one: head -c 32 /dev/urandom | base64")
        }
        return Array(token.utf8)
    }
}
