import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import Foundation
import Logging
import Synchronization

/// Keeps the orchestrator's checkpoints where its keeper cannot reach them, and raises an alarm
/// when one does not extend the last.
final class WitnessKeeper: Sendable {
    private static let pageLinks: Int64 = 1000
    /// An agent that was away for longer takes part again only after its file was moved away.
    private static let proofLinksMax: Int64 = 200_000
    private static let digest = ContentDigest { SHA256.digest($0) }

    private struct Storage {
        var witness: Witness
        let log: WitnessLog
        var wanted: (checkpoint: Checkpoint, url: String)?
        var isUnwritable = false
    }

    private let configuration: AgentConfiguration
    private let http: HTTPClient
    private let logger: Logger
    private let key: Ed25519.PublicKey?
    private let storage: Mutex<Storage>
    private let wakeup = Wakeup()

    /// - Throws: `StateFileError` when the witness file cannot be used.
    init(configuration: AgentConfiguration, http: HTTPClient, logger: Logger) throws {
        self.configuration = configuration
        self.http = http
        self.logger = logger
        key = configuration.auditPublicKey
        let path = configuration.stateFile + ".witness"
        let (log, records) = try WitnessLog.open(path: path)
        let witness = Witness(records: records)
        storage = Mutex(Storage(witness: witness, log: log))
        if let alarm = witness.alarm {
            logger.critical(
                "the audit journal was found changed, and nobody has looked yet",
                metadata: ["finding": "\(alarm)", "evidence": "\(path)"])
        }
    }

    /// What reports and `/health` say.
    var state: WitnessState? { storage.withLock { $0.witness.state } }

    // MARK: What it hears

    /// - Parameter stated: what the report said that this answers.
    func hear(_ checkpoint: Checkpoint?, stated: WitnessState?, from url: String) {
        if let checkpoint, let key, checkpoint.keyID != key.id || !isSigned(checkpoint, by: key) {
            return settle(checkpoint) { witness in
                guard witness.alarm == nil else { return .nothing }
                return witness.raise(
                    "signature: the checkpoint of entry \(checkpoint.seq) is not signed with the "
                        + "key \(key.id)")
            }
        }
        let evidence = checkpoint ?? Checkpoint(seq: 0, hash: "", keyID: "", signature: "")
        settle(evidence) { witness in
            witness.hear(checkpoint, stated: stated)
        } prove: { storage in
            storage.wanted = (evidence, url)
            wakeup.signal()
        }
    }

    func compare(with other: WitnessState, of node: NodeID) {
        let evidence = Checkpoint(seq: other.seq, hash: other.hash, keyID: "", signature: "")
        settle(evidence) { $0.compare(with: other, of: node) }
    }

    private func isSigned(_ checkpoint: Checkpoint, by key: Ed25519.PublicKey) -> Bool {
        key.isValid(hexBytes(checkpoint.signature) ?? [], over: checkpoint.message)
    }

    /// Makes durable what a step of the witness decided.
    private func settle(
        _ checkpoint: Checkpoint, _ step: (inout Witness) -> Witness.Step,
        prove: (inout Storage) -> Void = { _ in }
    ) {
        storage.withLock { storage in
            let before = storage.witness
            switch step(&storage.witness) {
            case .nothing: break
            case .prove: prove(&storage)
            case .take:
                // What is not on disk was not witnessed.
                if !append(checkpoint, alarm: nil, &storage) { storage.witness = before }
            case .alarm(let finding):
                logger.critical(
                    "the audit journal was changed after it was witnessed",
                    metadata: ["finding": "\(finding)"])
                _ = append(checkpoint, alarm: finding, &storage)
            }
        }
    }

    private func append(
        _ checkpoint: Checkpoint, alarm: String?, _ storage: inout Storage
    ) -> Bool {
        do {
            try storage.log.append(
                WitnessRecord(
                    nodeID: configuration.nodeID,
                    atMs: Int64(Date().timeIntervalSince1970 * 1000), checkpoint: checkpoint,
                    alarm: alarm))
            storage.isUnwritable = false
            return true
        } catch {
            if !storage.isUnwritable {
                logger.error(
                    "the witness file cannot be written", metadata: ["error": "\(error)"])
            }
            storage.isUnwritable = true
            return false
        }
    }

    // MARK: Proofs

    /// Fetches what proves that a checkpoint extends the last. Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await wakeup.wait(atMost: .seconds(3600))
            guard let wanted = storage.withLock({ $0.wanted.take() }),
                let after = storage.withLock({ $0.witness.last?.seq }),
                after < wanted.checkpoint.seq
            else { continue }
            do {
                let links = try await links(after: after, upTo: wanted.checkpoint.seq, wanted.url)
                settle(wanted.checkpoint) {
                    $0.prove(wanted.checkpoint, by: links, digest: Self.digest)
                }
            } catch {
                // The next answer shows a checkpoint again.
                logger.warning(
                    "a checkpoint could not be proven yet",
                    metadata: ["seq": "\(wanted.checkpoint.seq)", "error": "\(error)"])
            }
        }
    }

    private struct Unproven: Error, CustomStringConvertible {
        let description: String
    }

    private func links(
        after seq: Int64, upTo last: Int64, _ url: String
    ) async throws -> [ChainLink] {
        guard last -| seq <= Self.proofLinksMax else {
            throw Unproven(
                description: "\(last - seq) entries came since entry \(seq), more than this agent "
                    + "proves at once; compare the journal with its witness file (continuity "
                    + "audit verify --witness), then move the file away")
        }
        var links: [ChainLink] = []
        var after = seq
        while after < last {
            let count = min(Self.pageLinks, last - after)
            var request = HTTPRequest(
                method: "GET",
                url: "\(url)/api/v1/continuity/agent/links?after=\(after)&limit=\(count)",
                timeout: .seconds(10), maxResponseBytes: 4 << 20)
            configuration.sign(&request, to: .orchestrator)
            let response = try await http.send(request)
            guard response.status == 200 else {
                throw Unproven(description: "\(url): status \(response.status)")
            }
            let page = try WireJSON.decode(ChainLinks.self, from: response.body).links
            guard page.count == Int(count) else {
                throw Unproven(description: "\(url): it showed \(page.count) of \(count) links")
            }
            links += page
            after += count
        }
        return links
    }
}
