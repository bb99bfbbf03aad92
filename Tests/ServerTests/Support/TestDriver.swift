import ContinuityAPI
import ContinuityAudit
import ContinuityCore
import ContinuityCrypto
import ContinuityStore
import Logging
import Testing

@testable import ContinuityServer

/// A driver over a journal that fails as told, with one cluster whose policy binds one pack.
struct TestDriver {
    let journal = TestJournal()
    let effects = TestEffects()
    let driver: Driver

    static func configuration(pack sha256: String) -> ServedConfiguration {
        let cluster = Cluster(
            clusterID: "demo", name: "Demo",
            nodes: [
                Node(nodeID: "node-1", role: .primary, agentURL: "http://127.0.0.1:7101"),
                Node(nodeID: "node-2", role: .secondary, agentURL: "http://127.0.0.1:7102"),
                Node(nodeID: "node-3", role: .secondary, agentURL: "http://127.0.0.1:7103"),
            ])
        let policy = FailoverPolicy(
            policyID: "policy",
            hooks: [HookBinding(stage: .dnsFlip, pack: "dns", packSHA256: sha256)])
        return ServedConfiguration(
            clusters: [
                ClusterConfigured(cluster: cluster, policy: policy, alertChannels: ["oncall"])
            ])
    }

    init(restored: JournalRestored? = nil, signsEach entries: Int64? = nil) {
        let key = AuditKey(key: Ed25519.PrivateKey())
        driver = Driver(
            orchestrator: Orchestrator(
                state: OrchestratorState(), configuration: Self.configuration(pack: "first"),
                digest: .openSSL),
            journal: journal, instanceID: "test", executor: effects, restored: restored,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        ) { _ in
            entries.map {
                CheckpointSigner(key: key, everyEntries: $0, everyMs: 3_600_000, unsigned: 0)
            }
        }
    }

    /// Runs the driver while `body` runs.
    func run(_ body: () async throws -> Void) async throws {
        let running = Task { try await driver.run() }
        defer { running.cancel() }
        try await body()
    }

    @discardableResult
    func pause() async throws -> Reply {
        try await driver.order(
            .pause("demo", SuspensionWish(owner: "ana", reason: "night", durationS: 60)),
            by: "ana")
    }

    /// Asks until the journal takes entries again.
    func eventually(_ act: () async throws -> Void) async throws {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: .seconds(30))
        while true {
            do {
                return try await act()
            } catch  where clock.now < end {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// What was thrown, to be compared.
func unavailable(_ act: () async throws -> Void) async throws -> OrchestratorUnavailable? {
    do {
        try await act()
        return nil
    } catch let error as OrchestratorUnavailable {
        return error
    }
}
