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
        if entry.isKind("checkpoint_signed") { try check(entry) }
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
