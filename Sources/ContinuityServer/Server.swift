package import ContinuityAPI
import ContinuityAlerts
import ContinuityAudit
import ContinuityConfig
package import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import ContinuityHooks
import ContinuityStore
import ContinuityTransport
import Foundation
import Glibc
package import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals

extension ContentDigest {
    /// SHA-256 by libcrypto.
    package static let openSSL = ContentDigest { SHA256.digest($0) }
}

/// `continuity serve`: puts the parts together and runs them until SIGTERM or SIGINT.
package struct Server {
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let sandboxPath: String
    private let simulator: (any SimulationPort)?

    package init(
        configuration: ServerConfiguration, sandboxPath: String?,
        simulator: (any SimulationPort)? = nil, logger: Logger
    ) {
        self.simulator = simulator
        self.configuration = configuration
        self.logger = logger
        self.sandboxPath = sandboxPath ?? HookRuntime.defaultSandboxPath()
    }

    /// - Throws: ``ConfigError``, `StoreError` or `SandboxError` when it cannot start; whatever
    ///   made it stop otherwise.
    package func run() async throws {
        // A file that may grow no more is an error that a write reports, not a reason to die.
        _ = signal(SIGXFSZ, SIG_IGN)
        for rejection in configuration.rejectedPacks {
            logger.error(
                "a pack cannot be used; no policy binds it",
                metadata: ["pack": "\(rejection.pack)", "reason": "\(rejection.reason)"])
        }
        try checkPort()
        let channels = try alertChannels()
        let runtime =
            configuration.packs.isEmpty
            ? nil
            : try HookRuntime(
                sandboxPath: sandboxPath, workers: configuration.hookWorkers,
                strictness: configuration.hookStrictness, logger: logger)
        defer { runtime?.shutdown() }
        let drillRuntime =
            configuration.packs.isEmpty
            ? nil : try HookRuntime(sandboxPath: sandboxPath, workers: 1, logger: logger)
        defer { drillRuntime?.shutdown() }
        let (store, state, restored) = try JournalRecovery.open(
            journal: configuration.journal, backup: configuration.audit.backup?.file,
            key: configuration.audit.key?.key.publicKey, logger: logger)
        let client = HTTPClient(maxConcurrent: 256)
        defer { client.shutdown() }
        try await run(
            Orchestrator(
                state: state,
                configuration: ServedConfiguration(
                    clusters: configuration.clusters, brake: configuration.brake),
                digest: .openSSL, saltKey: Driver.saltKey(), version: BuildVersion.text),
            store,
            channels,
            (runtime, drillRuntime), client, restored)
        try store.close()
    }

    private func run(
        _ orchestrator: Orchestrator, _ store: JournalStore, _ channels: [AlertChannel],
        _ runtimes: (real: HookRuntime?, drill: HookRuntime?), _ client: HTTPClient,
        _ restored: JournalRestored?
    ) async throws {
        // The outbox reports to the driver, and the driver feeds the outbox.
        let driverBox = Mutex<Driver?>(nil)
        let outbox = AlertOutbox(channels: channels, client: client, logger: logger) { result in
            driverBox.withLock(\.self)?.submit(Self.input(result))
        }
        let shelf = PackShelf(configuration.packs)
        let way = AgentWay(rules: configuration.access)
        let executor = EffectExecutor(
            client: client, way: way, runtime: runtimes.real, drillRuntime: runtimes.drill,
            packs: shelf, secrets: configuration.secrets,
            recordings: try recordings(), outbox: outbox, logger: logger)
        let driver = Driver(
            orchestrator: orchestrator, journal: store,
            // Drawn anew by each process: two on copies of one journal are told apart by it.
            instanceID: "\(configuration.instanceID)-\(hexString(randomBytes(8)))",
            executor: executor, restored: restored, logger: logger,
            signer: { [audit = configuration.audit] in audit.signer(state: $0) })
        driver.reloader.withLock {
            $0 = PackReloader(
                configuration: configuration, shelf: shelf, runtime: runtimes.drill, logger: logger,
                current: { [weak driver] in
                    guard let driver else { throw OrchestratorUnavailable.stopping }
                    return try await driver.configuration()
                },
                submit: { [weak driver] in
                    guard let driver else { throw OrchestratorUnavailable.stopping }
                    return try await driver.ask($0)
                })
        }
        driverBox.withLock { $0 = driver }
        let api = APIServer(
            host: configuration.host, port: configuration.port, rules: configuration.access,
            orchestrator: driver, nowMs: { SystemClock.now().utcMs }, logger: logger,
            openLink: { Self.link($0, channels) }, simulator: simulator,
            onListening: { [logger] port in
                logger.notice("listening", metadata: ["port": "\(port)"])
            })
        try await ServiceGroup(
            services: [
                outbox, driver, api, HangupListener(driver: driver, logger: logger),
                AgentWarmer(
                    way: way, client: client, clusters: configuration.clusters.map(\.cluster)),
            ] + backups(of: store),
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        ).run()
    }

    private func backups(of store: JournalStore) -> [any Service] {
        guard let backup = configuration.audit.backup else { return [] }
        return [BackupService(store: store, configuration: backup, logger: logger)]
    }

    /// Beside the journal, whose entries name what stands there.
    private func recordings() throws(ConfigError) -> RecordingStore? {
        guard configuration.recordings > 0 else { return nil }
        let folder = URL(fileURLWithPath: configuration.journal).deletingLastPathComponent()
            .appending(path: "recordings").path
        do {
            return try RecordingStore(folder: folder, countMax: configuration.recordings)
        } catch {
            throw ConfigError(
                file: folder, line: nil, message: "cannot be used for recordings: \(error)",
                remedy: "let 'serve' write there, or set 'hooks.recordings' to 0")
        }
    }

    private func alertChannels() throws(ConfigError) -> [AlertChannel] {
        var channels: [AlertChannel] = []
        for alert in configuration.alerts {
            do {
                channels.append(try alert.channel())
            } catch {
                throw ConfigError(
                    file: alert.secretFile, line: nil, message: error.message,
                    remedy: error.remedy)
            }
        }
        return channels
    }

    private static func link(_ text: String, _ channels: [AlertChannel]) -> SignedLink? {
        ApprovalLink(parsing: text, channels: channels).map {
            SignedLink(
                isApproval: $0.act == .approve, approvalID: $0.approvalID,
                clusterID: $0.clusterID, person: $0.person, expiresAtMs: $0.expiresAtMs)
        }
    }

    private static func input(_ result: AlertResult) -> Input {
        switch result {
        case .delivered(let id, let channel, let status, let attempts):
            .alertDelivered(
                AlertDelivered(
                    alertID: id, channel: channel, attempts: Int64(attempts),
                    httpStatus: Int64(status)))
        case .dead(let id, let channel, let reason, let attempts):
            .alertDead(
                AlertDead(
                    alertID: id, channel: channel, attempts: Int64(attempts), reason: reason))
        }
    }

    /// A port in use is told before anything is written.
    private func checkPort() throws(ConfigError) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(configuration.port).bigEndian)
        let host = configuration.host == "localhost" ? "127.0.0.1" : configuration.host
        inet_pton(AF_INET, host, &address.sin_addr)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result != 0 else { return }
        throw ConfigError(
            file: configuration.file, line: nil,
            message: "cannot listen on \(configuration.host):\(configuration.port): "
                + String(cString: strerror(errno)),
            remedy: "stop what uses the port, or change 'listen'")
    }
}

/// SIGHUP reads the pack folders anew.
private struct HangupListener: Service {
    let driver: Driver
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        for await _ in signals.cancelOnGracefulShutdown() {
            do {
                _ = try await driver.reloadHooks(requestedBy: "SIGHUP")
            } catch {
                logger.error("the packs were not read anew", metadata: ["error": "\(error)"])
            }
        }
    }
}
