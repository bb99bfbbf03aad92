import ContinuityAudit
import ContinuityCore
import ContinuityCrypto
import ContinuityStore
import Foundation
import Logging
import ServiceLifecycle

/// Opens the journal, and where it is damaged puts it together again from its own backup.
enum JournalRecovery {
    /// - Returns: the journal, its fold, and what was restored, to be journaled.
    /// - Throws: `StoreError` when it is damaged and cannot be restored without a loss.
    static func open(
        journal: String, backup: String?, key: Ed25519.PublicKey?, logger: Logger
    ) throws -> (JournalStore, OrchestratorState, JournalRestored?) {
        do {
            let (store, state) = try fold(journal, key: key, logger: logger)
            return (store, state, nil)
        } catch let error as StoreError where error.isDamage {
            guard let backup, FileManager.default.fileExists(atPath: backup) else { throw error }
            logger.critical(
                "the journal is damaged; it is restored from its backup",
                metadata: ["error": "\(error)", "backup": "\(backup)"])
            let result = try JournalRestore.restore(
                journal: journal, from: backup, digest: .openSSL, acceptLoss: false)
            logger.critical(
                "the journal is restored",
                metadata: [
                    "entries": "\(result.head.seq)", "salvaged": "\(result.salvaged)",
                    "damaged_file": "\(result.keptAs ?? "-")",
                ])
            let (store, state) = try fold(journal, key: key, logger: logger)
            let restored = JournalRestored(
                damage: error.message, backupSeq: result.backupSeq, salvaged: result.salvaged)
            return (store, state, restored)
        }
    }

    private static func fold(
        _ journal: String, key: Ed25519.PublicKey?, logger: Logger
    ) throws -> (JournalStore, OrchestratorState) {
        let store = try JournalStore.open(path: journal)
        var state = OrchestratorState()
        let report = try store.verify(
            digest: .openSSL,
            inspect: { view throws(JournalFault) in try state.replay(view.entry) })
        guard !report.redacted.isEmpty else { return (store, state) }
        try judge(report.redacted, of: store, key: key, logger: logger)
        return (store, state)
    }

    static func fold(_ store: JournalStore) throws -> OrchestratorState {
        var state = OrchestratorState()
        try store.verify(digest: .openSSL) { entry throws(JournalFault) in
            try state.replay(entry)
        }
        return state
    }

    /// The state rests on bodies that are proven, or that the key's holder stands for. Where only
    /// words were taken away it goes on: nothing that it decides by can have been among them.
    ///
    /// - Throws: `StoreError` for a body that was put in the place of another one.
    private static func judge(
        _ redacted: [RedactedEntry], of store: JournalStore, key: Ed25519.PublicKey?,
        logger: Logger
    ) throws(StoreError) {
        var signedSeq: Int64 = 0
        if let key, redacted.contains(where: { !$0.isProven }) {
            try store.verify(
                digest: .openSSL,
                inspect: { view throws(JournalFault) in
                    guard view.isKind("checkpoint_signed"),
                        let checkpoint = try? JSONDecoder().decode(
                            Checkpoint.self, from: Data(view.body)),
                        checkpoint.keyID == key.id, checkpoint.seq == view.seq - 1,
                        view.prev.elementsEqual(checkpoint.hash.utf8),
                        key.isValid(
                            hexBytes(checkpoint.signature) ?? [], over: checkpoint.message)
                    else { return }
                    signedSeq = checkpoint.seq
                })
        }
        let judge = RedactionJudge(keys: key.map { [$0] } ?? [], signedSeq: signedSeq)
        for entry in redacted {
            guard let finding = judge.finding(entry) else { continue }
            guard finding.code == .unprovenRedaction else {
                logger.critical("\(finding.message)", metadata: ["seq": "\(finding.seq)"])
                continue
            }
            throw StoreError(
                file: store.path, message: "is not to be trusted: \(finding.message)",
                remedy: "keep the file as evidence and restore a backup (continuity restore); if "
                    + "the redaction is genuine, its keeper signs for it: continuity audit sign",
                isDamage: true)
        }
    }
}

/// Copies the journal from time to time, while `serve` goes on.
final class BackupService: Service {
    private let store: JournalStore
    private let configuration: AuditConfiguration.Backup
    private let logger: Logger

    init(store: JournalStore, configuration: AuditConfiguration.Backup, logger: Logger) {
        self.store = store
        self.configuration = configuration
        self.logger = logger
    }

    func run() async throws {
        let thread = ThreadExecutor(name: "backup")
        await cancelWhenGracefulShutdown {
            // Copying a journal blocks for as long as it takes.
            await withTaskExecutorPreference(thread) {
                while !Task.isCancelled {
                    self.backUp()
                    try? await Task.sleep(for: .seconds(self.configuration.everyS))
                }
            }
        }
    }

    private func backUp() {
        do {
            let head = try store.backUp(to: configuration.file, digest: .openSSL)
            logger.info(
                "the journal is backed up",
                metadata: ["file": "\(configuration.file)", "entries": "\(head.seq)"])
        } catch {
            logger.error("the journal could not be backed up", metadata: ["error": "\(error)"])
        }
    }
}
