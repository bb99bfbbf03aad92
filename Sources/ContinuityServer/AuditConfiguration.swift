import ContinuityAudit
import ContinuityConfig
import ContinuityCore

/// `audit` in `serve.yaml`: what makes the journal provable, and what it is restored from.
package struct AuditConfiguration: Sendable {
    struct Backup: Sendable {
        var file: String
        var everyS: Int64
    }

    var key: AuditKey?
    /// The most entries, and the longest time, that stand without a signature.
    var checkpointEntries: Int64 = 100
    var checkpointS: Int64 = 10
    var backup: Backup?

    /// - Throws: ``ConfigError`` naming file, line and remedy.
    init(reading section: ConfigReader?) throws(ConfigError) {
        guard let section else { return }
        if let file = try section.optionalString("key_file") {
            key = try AuditKey.load(file: section.path(of: file))
        }
        checkpointEntries = try section.int("checkpoint_entries", in: 1...100_000, default: 100)
        checkpointS = try section.int("checkpoint_s", in: 1...86_400, default: 10)
        if let part = try section.optionalMapping("backup") {
            backup = Backup(
                file: part.path(of: try part.string("file")),
                everyS: try part.int("every_s", in: 1...604_800, default: 3600))
            try part.finish()
        }
        try section.finish()
    }

    func signer(state: OrchestratorState) -> CheckpointSigner? {
        key.map {
            CheckpointSigner(
                key: $0, everyEntries: checkpointEntries, everyMs: checkpointS * 1000,
                unsigned: state.head.seq - (state.checkpoint.map { $0.seq + 1 } ?? 0))
        }
    }
}

/// Decides when the head is signed: after so many entries, after so long, and at each run's end.
struct CheckpointSigner: Sendable {
    private let key: AuditKey
    private let everyEntries: Int64
    private let everyMs: Int64
    private var unsigned: Int64
    private var oldestMs: Int64?
    private var isRunOver = false

    init(key: AuditKey, everyEntries: Int64, everyMs: Int64, unsigned: Int64) {
        self.key = key
        self.everyEntries = everyEntries
        self.everyMs = everyMs
        self.unsigned = max(0, unsigned)
    }

    /// To be called with what has become durable.
    mutating func saw(_ entries: [JournalEntry], at now: Moment) {
        unsigned += Int64(entries.count)
        if oldestMs == nil, unsigned > 0 { oldestMs = now.monotonicMs }
        isRunOver =
            isRunOver
            || entries.contains { $0.kind == "run_finished" || $0.kind == "drill_finished" }
    }

    /// A checkpoint of the head, where one is due.
    mutating func checkpoint(of head: JournalHead, at now: Moment) -> Checkpoint? {
        let isOld = oldestMs.map { now.monotonicMs - $0 >= everyMs } ?? false
        guard unsigned > 0, isRunOver || isOld || unsigned >= everyEntries else { return nil }
        return key.checkpoint(of: head)
    }

    /// A checkpoint of the head where anything stands unsigned.
    func checkpoint(of head: JournalHead) -> Checkpoint? {
        unsigned > 0 ? key.checkpoint(of: head) : nil
    }

    /// To be called when a checkpoint has become durable.
    mutating func signed() {
        unsigned = 0
        oldestMs = nil
        isRunOver = false
    }
}
