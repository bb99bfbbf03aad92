/// One link of the journal: the audit trail and the source of the orchestrator's state.
///
/// `hash` is SHA-256 over the canonical form of every other field but the body itself, which takes
/// part through `bodySHA256`; so a body can be withheld and the chain still be checked.
package struct JournalEntry: Hashable, Sendable {
    /// Counted from 1 without gaps.
    package var seq: Int64
    package var epoch: Int64
    /// UTC milliseconds since 1970.
    package var atMs: Int64
    /// Who caused it: `continuity`, or the person or machine that asked.
    package var actor: String
    package var clusterID: ClusterID?
    package var kind: String
    /// Canonical JSON.
    package var body: [UInt8]
    /// The body's commitment (``BodyCommitment``), or SHA-256 over the whole body.
    package var bodySHA256: String
    /// The hash of the entry before; 64 zeros for the first.
    package var prev: String
    package var hash: String

    package init(
        seq: Int64, epoch: Int64, atMs: Int64, actor: String, clusterID: ClusterID?, kind: String,
        body: [UInt8], bodySHA256: String, prev: String, hash: String
    ) {
        self.seq = seq
        self.epoch = epoch
        self.atMs = atMs
        self.actor = actor
        self.clusterID = clusterID
        self.kind = kind
        self.body = body
        self.bodySHA256 = bodySHA256
        self.prev = prev
        self.hash = hash
    }

    package static let firstPrev = String(repeating: "0", count: 64)
}

extension JournalEntry {
    /// - Parameter salt: 32 hexadecimal digits that nobody can guess: the body's withholdable
    ///   values are committed one by one with it (``BodyCommitment``). `nil`: the body's digest
    ///   is over the whole.
    package init(
        after head: JournalHead, epoch: Int64, atMs: Int64, actor: String, clusterID: ClusterID?,
        kind: String, body: [UInt8], salt: String? = nil, digest: ContentDigest
    ) {
        let sealed = salt.flatMap { BodyCommitment.seal(body, salt: $0, digest: digest) }
        self.init(
            seq: head.seq + 1, epoch: epoch, atMs: atMs, actor: actor, clusterID: clusterID,
            kind: kind, body: sealed?.body ?? body,
            bodySHA256: sealed?.sha256 ?? digest.hex(body), prev: head.hash, hash: "")
        hash = computedHash(digest: digest)
    }

    /// SHA-256 over `{"actor","at_ms","body_sha256","cluster_id","epoch","kind","prev","seq"}`.
    package func computedHash(digest: ContentDigest) -> String {
        JournalEntryView.withView(of: self) { view in
            var writer = CanonicalWriter(capacity: 384)
            view.writeHeader(to: &writer)
            return digest.hex(writer.bytes)
        }
    }
}

/// Where the journal ends.
package struct JournalHead: Hashable, Sendable {
    package var seq: Int64
    package var hash: String

    package init(seq: Int64, hash: String) {
        self.seq = seq
        self.hash = hash
    }

    package static let empty = JournalHead(seq: 0, hash: JournalEntry.firstPrev)
}

/// What is wrong with a journal, and where.
package struct JournalFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let seq: Int64
    package let reason: String

    package init(seq: Int64, reason: String) {
        self.seq = seq
        self.reason = reason
    }

    package var description: String { "entry \(seq): \(reason)" }
}
