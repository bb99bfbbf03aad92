import ContinuityAPI
import ContinuityConfig
import ContinuityCore
import ContinuityHooks
import Foundation
import Logging

/// Reads the pack folders anew while the server runs, and swaps only what checks.
actor PackReloader {
    private let configuration: ServerConfiguration
    private let shelf: PackShelf
    private let runtime: HookRuntime?
    private let logger: Logger
    private let current: @Sendable () async throws -> ServedConfiguration
    private let submit: @Sendable (Input) async throws -> Reply
    private var isReloading = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(
        configuration: ServerConfiguration, shelf: PackShelf, runtime: HookRuntime?,
        logger: Logger, current: @escaping @Sendable () async throws -> ServedConfiguration,
        submit: @escaping @Sendable (Input) async throws -> Reply
    ) {
        self.configuration = configuration
        self.shelf = shelf
        self.runtime = runtime
        self.logger = logger
        self.current = current
        self.submit = submit
    }

    /// One after the other: what was read first must not come into force last.
    ///
    /// - Throws: `OrchestratorUnavailable`; nothing was swapped then, unless it says that the
    ///   journal has it.
    func reload(requestedBy: String) async throws -> Reply {
        if isReloading {
            await withCheckedContinuation { waiting.append($0) }
        }
        isReloading = true
        defer {
            if waiting.isEmpty {
                isReloading = false
            } else {
                waiting.removeFirst().resume()
            }
        }
        return try await reloadNow(requestedBy)
    }

    private func reloadNow(_ requestedBy: String) async throws -> Reply {
        let clusters = try await current().clusters
        let old = shelf.current
        var (packs, rejected) = ServerConfiguration.scan(
            configuration.packFolders, ceiling: configuration.ceiling, keeping: old)
        for (name, pack) in packs.sorted(by: { $0.key < $1.key }) where old[name] != pack {
            if let reason = await reason(against: pack, clusters) {
                rejected.append(.init(pack: name, reason: reason))
                packs[name] = old[name]
            }
        }
        for (name, pack) in old where packs[name] == nil && Self.isBound(name, clusters) {
            rejected.append(.init(pack: name, reason: "its folder is gone, and a policy binds it"))
            packs[name] = pack
        }
        let changes = Set(packs.keys).union(old.keys).sorted().compactMap { name in
            packs[name]?.packSHA256 == old[name]?.packSHA256
                ? nil
                : HookPacksChanged.Change(
                    pack: name, fromSHA256: old[name]?.packSHA256,
                    toSHA256: packs[name]?.packSHA256)
        }
        rejected.sort { $0.pack < $1.pack }
        for rejection in rejected {
            logger.error(
                "a pack is not taken, the old one stays",
                metadata: ["pack": "\(rejection.pack)", "reason": "\(rejection.reason)"])
        }
        let next = clusters.map { cluster in
            var cluster = cluster
            for index in cluster.policy.hooks.indices {
                guard let pack = packs[cluster.policy.hooks[index].pack] else { continue }
                ServerConfiguration.bind(&cluster.policy.hooks[index], to: pack)
            }
            return cluster
        }
        shelf.offer(packs)
        do {
            let reply = try await submit(
                .hookPacksChanged(
                    HookPacksChanged(changes: changes, rejected: rejected), clusters: next,
                    requestedBy: requestedBy))
            if case .hookPacksChanged = reply { shelf.putInForce(packs) }
            return reply
        } catch OrchestratorUnavailable.journalUnavailable(let reason, isDurable: true) {
            shelf.putInForce(packs)
            throw OrchestratorUnavailable.journalUnavailable(reason: reason, isDurable: true)
        }
    }

    private static func isBound(_ name: String, _ clusters: [ClusterConfigured]) -> Bool {
        clusters.contains { $0.policy.hooks.contains { $0.pack == name } }
    }

    /// Why a pack cannot be taken: its bindings do not fit it, it is pinned to another digest, or
    /// its script does not compile.
    private func reason(
        against pack: HookPack, _ clusters: [ClusterConfigured]
    ) async -> String? {
        for cluster in clusters {
            for binding in cluster.policy.hooks where binding.pack == pack.manifest.name {
                if let problem = ServerConfiguration.problem(of: binding, with: pack) {
                    return "\(cluster.policy.policyID): \(problem.message)"
                }
            }
        }
        guard let runtime else { return "the server was started without packs; start it again" }
        do {
            _ = try await HookInspection.of(pack, in: runtime)
            return nil
        } catch {
            return error.message
        }
    }
}
