package import ContinuityCore
package import ContinuityCrypto

/// Something in a journal whose chain holds that a person has to look at.
package struct AuditFinding: Encodable, Hashable, Sendable {
    package enum Code: String, Encodable, Sendable {
        case unsignedTail = "unsigned_tail"
        case unsignedRedaction = "unsigned_redaction"
        case unprovenRedaction = "unproven_redaction"
        case witnessAlarm = "witness_alarm"
    }

    package var code: Code
    package var seq: Int64
    package var message: String

    package init(code: Code, seq: Int64, message: String) {
        self.code = code
        self.seq = seq
        self.message = message
    }
}

/// Judges what was withheld from a journal: a redaction counts when the audit key signed it, and
/// what stands there now is proven by the entry's own commitment.
package struct RedactionJudge {
    private let keys: [String: Ed25519.PublicKey]
    private let signedSeq: Int64

    /// - Parameter signedSeq: the entry up to which one of the keys has signed the journal.
    package init(keys: [Ed25519.PublicKey], signedSeq: Int64) {
        self.keys = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        self.signedSeq = signedSeq
    }

    /// - Returns: `nil` when the key's holder stands for it.
    package func finding(_ entry: RedactedEntry) -> AuditFinding? {
        guard let last = entry.orders.last else { return nil }
        if entry.isProven {
            guard let order = entry.orders.first(where: { !isSigned($0) }) else { return nil }
            guard !keys.isEmpty else { return nil }
            return AuditFinding(
                code: .unsignedRedaction, seq: entry.seq,
                message: "values of entry \(entry.seq) (\(entry.kind)) are withheld by entry "
                    + "\(order.seq), which no given key signed: somebody took words away")
        }
        // What an earlier version redacted: its digest was over the whole body, so that nothing
        // proves what stands there now but the word of the key's holder.
        if isSigned(last) || (entry.isOfEarlierFormat && last.seq <= signedSeq && !keys.isEmpty) {
            return nil
        }
        return AuditFinding(
            code: .unprovenRedaction, seq: entry.seq,
            message: "the body of entry \(entry.seq) (\(entry.kind)) was replaced, and entry "
                + "\(last.seq) calls it a redaction: nothing proves what stands there now, and no "
                + "given key signed it")
    }

    private func isSigned(_ order: RedactedEntry.Order) -> Bool {
        guard let keyID = order.redaction.keyID, let key = keys[keyID],
            let signature = order.redaction.signature.flatMap({ hexBytes($0) })
        else { return false }
        return key.isValid(signature, over: order.redaction.message(by: order.actor))
    }
}
