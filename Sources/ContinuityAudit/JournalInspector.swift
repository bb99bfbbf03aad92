package import ContinuityCore
package import ContinuityCrypto
import Foundation

/// Holds a journal against what does not stand in its keeper's power: the public key, and the
/// checkpoints that witnesses keep.
package struct JournalInspector {
    private let keys: [String: Ed25519.PublicKey]
    /// Sorted by entry.
    private let witnessed: [WitnessRecord]
    private var next = 0
    private var lastAgreed: Int64 = 0
    package private(set) var checkpoints = 0
    /// The entry up to which the journal is signed with a given key; 0: none.
    package private(set) var signedSeq: Int64 = 0
    package var witnessedSeq: Int64 { lastAgreed }
    /// When the first entry that no valid checkpoint covers was written; `nil`: there is none.
    private var unsignedSinceMs: Int64?
    private var lastAtMs: Int64 = 0

    package init(keys: [Ed25519.PublicKey], witnesses: [WitnessRecord]) {
        self.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        // What stands behind an alarm is evidence of a lie, not a statement to hold against it.
        witnessed = witnesses.filter { $0.alarm == nil }
            .sorted { $0.checkpoint.seq < $1.checkpoint.seq }
    }

    /// To be called with each entry of a chain that holds.
    package mutating func inspect(_ entry: JournalEntryView) throws(JournalFault) {
        while next < witnessed.count, witnessed[next].checkpoint.seq <= entry.seq {
            let record = witnessed[next]
            next += 1
            guard entry.hash.elementsEqual(record.checkpoint.hash.utf8) else {
                throw JournalFault(
                    seq: entry.seq,
                    reason: "\(record.nodeID) witnessed it with another hash: an entry from "
                        + "\(lastAgreed + 1) to \(entry.seq) was rewritten")
            }
            lastAgreed = entry.seq
        }
        lastAtMs = max(lastAtMs, entry.atMs)
        if entry.isKind("checkpoint_signed") {
            try check(entry)
        } else if unsignedSinceMs == nil {
            unsignedSinceMs = entry.atMs
        }
    }

    /// The entries after the last valid checkpoint, where they should have been signed long ago.
    ///
    /// - Parameters:
    ///   - head: where the journal ends.
    ///   - intervalMs: the longest time, and `entries` the most entries, without a signature.
    ///   - nowMs: UTC milliseconds since 1970. What the entries say of their time counts too: a
    ///     tail that is long by its own account is overdue, whatever the clock here says.
    package func overdueTail(
        _ head: JournalHead, entries: Int64, intervalMs: Int64, nowMs: Int64
    ) -> AuditFinding? {
        // The checkpoint's own entry is the first after what it signs.
        let first = signedSeq == 0 ? 1 : signedSeq + 2
        guard !keys.isEmpty, let unsignedSinceMs, head.seq >= first else { return nil }
        let ageMs = max(nowMs, lastAtMs).subtractingSaturated(unsignedSinceMs)
        guard ageMs > intervalMs || head.seq - first + 1 > entries else { return nil }
        return AuditFinding(
            code: .unsignedTail, seq: first,
            message: "entries \(first) to \(head.seq) are signed by nobody, and should be: whoever "
                + "can write the file could have written them")
    }

    private mutating func check(_ entry: JournalEntryView) throws(JournalFault) {
        func fault(_ reason: String) -> JournalFault {
            JournalFault(seq: entry.seq, reason: reason)
        }
        guard let checkpoint = try? JSONDecoder().decode(Checkpoint.self, from: Data(entry.body))
        else { throw fault("its checkpoint cannot be read") }
        guard checkpoint.seq == entry.seq - 1,
            entry.prev.elementsEqual(checkpoint.hash.utf8)
        else { throw fault("its checkpoint is not that of the entry before") }
        checkpoints += 1
        guard !keys.isEmpty else { return }
        guard let key = keys[checkpoint.keyID] else {
            throw fault(
                "its checkpoint is signed with the key \(checkpoint.keyID), not a given one")
        }
        guard key.isValid(hexBytes(checkpoint.signature) ?? [], over: checkpoint.message) else {
            throw fault("the signature of its checkpoint is wrong")
        }
        signedSeq = checkpoint.seq
        unsignedSinceMs = nil
    }

    /// To be called after the last entry.
    package func finish(_ head: JournalHead) throws(JournalFault) {
        if next < witnessed.count {
            let record = witnessed[next]
            throw JournalFault(
                seq: head.seq + 1,
                reason:
                    "is missing: \(record.nodeID) witnessed entry \(record.checkpoint.seq), and "
                    + "the journal ends at entry \(head.seq): it was cut off")
        }
        if !keys.isEmpty, signedSeq == 0 {
            throw JournalFault(
                seq: 1, reason: "neither it nor a later entry is signed with a given key")
        }
    }
}

/// Reads what witnesses keep.
package enum WitnessFile {
    /// The name of an agent's witness file ends so.
    package static let suffix = ".witness"

    /// A broken last line is what a crash leaves behind; it was never relied on.
    ///
    /// - Throws: when a line before the last cannot be read.
    package static func records(_ text: String) throws(JournalFault) -> [WitnessRecord] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var records: [WitnessRecord] = []
        for (index, line) in lines.enumerated() where !line.isEmpty {
            do {
                records.append(
                    try JSONDecoder().decode(WitnessRecord.self, from: Data(line.utf8)))
            } catch {
                guard index == lines.count - 1 else {
                    throw JournalFault(seq: Int64(index + 1), reason: "the line is no checkpoint")
                }
            }
        }
        return records
    }
}
