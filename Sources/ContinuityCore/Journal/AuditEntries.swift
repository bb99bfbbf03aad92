/// A signed statement that the journal had this hash at this entry.
package struct Checkpoint: Codable, Hashable, Sendable {
    package var seq: Int64
    package var hash: String
    /// SHA-256 over the public key (its DER form), the first 16 hexadecimal digits.
    package var keyID: String
    /// Ed25519 over ``message``, 128 hexadecimal digits.
    package var signature: String

    package init(seq: Int64, hash: String, keyID: String, signature: String) {
        self.seq = seq
        self.hash = hash
        self.keyID = keyID
        self.signature = signature
    }

    /// What is signed: canonical JSON, with a type, so that the key's signatures mean one thing.
    package static func message(_ head: JournalHead) -> [UInt8] {
        CanonicalJSON.bytes([
            "type": "continuity-checkpoint/v1", "seq": .int(head.seq), "hash": .string(head.hash),
        ])
    }

    package var message: [UInt8] { Self.message(JournalHead(seq: seq, hash: hash)) }

    private enum CodingKeys: String, CodingKey {
        case seq, hash
        case keyID = "key_id"
        case signature
    }
}

/// Values of an earlier entry's body were withheld. The chain holds: the entry's header states the
/// digest of the original body, and this entry that of what stands there now.
package struct EntryRedacted: Codable, Hashable, Sendable {
    package var seq: Int64
    /// The names of the fields whose values were withheld.
    package var fields: [String]
    package var originalSHA256: String
    package var redactedSHA256: String
    package var reason: String
    /// The commitment of each value that was withheld, by its JSON pointer. `nil`: the body's
    /// digest is over the whole, so that only the signature speaks for what stands there now.
    package var parts: [String: String]?
    /// Who allowed it: the audit key's identifier, and its signature over ``message(by:)``.
    package var keyID: String?
    package var signature: String?

    package init(
        seq: Int64, fields: [String], originalSHA256: String, redactedSHA256: String,
        reason: String, parts: [String: String]? = nil
    ) {
        self.parts = parts
        self.seq = seq
        self.fields = fields
        self.originalSHA256 = originalSHA256
        self.redactedSHA256 = redactedSHA256
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case seq, fields
        case originalSHA256 = "original_sha256"
        case redactedSHA256 = "redacted_sha256"
        case reason, parts
        case keyID = "key_id"
        case signature
    }

    /// What the audit key signs: which values of which body go, why, and on whose order.
    package func message(by actor: String) -> [UInt8] {
        CanonicalJSON.bytes([
            "type": "continuity-redaction/v1", "seq": .int(seq), "by": .string(actor),
            "fields": .array(fields.map { .string($0) }), "reason": .string(reason),
            "original_sha256": .string(originalSHA256),
            "redacted_sha256": .string(redactedSHA256),
            "parts": .object((parts ?? [:]).mapValues { .string($0) }),
        ])
    }
}

/// An agent keeps a checkpoint that this journal does not bear out.
package struct WitnessAlarm: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    /// What the agent keeps.
    package var seq: Int64
    package var hash: String
    /// `fork`, `rewind`, or what the agent itself found.
    package var finding: String

    package init(nodeID: NodeID, seq: Int64, hash: String, finding: String) {
        self.nodeID = nodeID
        self.seq = seq
        self.hash = hash
        self.finding = finding
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case seq, hash, finding
    }
}

/// The journal was restored from a backup after damage.
package struct JournalRestored: Codable, Hashable, Sendable {
    /// What was wrong with the damaged file.
    package var damage: String
    /// Where the backup ended.
    package var backupSeq: Int64
    /// How many entries after it were taken from the damaged file; they extend the chain.
    package var salvaged: Int64
    /// Whether entries that the journal had may be missing: others may have become primary, and
    /// been granted leases, that it does not tell of.
    package var mayLackEntries: Bool?

    package init(
        damage: String, backupSeq: Int64, salvaged: Int64, mayLackEntries: Bool = false
    ) {
        self.damage = damage
        self.backupSeq = backupSeq
        self.salvaged = salvaged
        self.mayLackEntries = mayLackEntries ? true : nil
    }

    private enum CodingKeys: String, CodingKey {
        case damage
        case backupSeq = "backup_seq"
        case salvaged
        case mayLackEntries = "may_lack_entries"
    }
}
