import ContinuityCore
import ContinuityStore
import Foundation
import Logging
import ServiceLifecycle

/// Opens the journal, and where it is damaged puts it together again from its own backup.
enum JournalRecovery {
    /// - Returns: the journal, its fold, and what was restored, to be journaled.
    /// - Throws: `StoreError` when it is damaged and cannot be restored without a loss.
    static func open(
        journal: String, backup: String?, logger: Logger
    ) throws -> (JournalStore, OrchestratorState, JournalRestored?) {
        do {
            let (store, state) = try fold(journal)
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
            let (store, state) = try fold(journal)
            let restored = JournalRestored(
                damage: error.message, backupSeq: result.backupSeq, salvaged: result.salvaged)
            return (store, state, restored)
        }
    }

    static func fold(_ journal: String) throws -> (JournalStore, OrchestratorState) {
        let store = try JournalStore.open(path: journal)
        return (store, try fold(store))
    }

    static func fold(_ store: JournalStore) throws -> OrchestratorState {
        var state = OrchestratorState()
        try store.verify(digest: .openSSL) { entry throws(JournalFault) in
            try state.replay(entry)
        }
        return state
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
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.backUp()
                try? await Task.sleep(for: .seconds(self.configuration.everyS))
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
