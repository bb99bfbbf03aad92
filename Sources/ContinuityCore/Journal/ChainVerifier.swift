import FoundationEssentials

/// An entry of whose body something was withheld, and the entries that say so.
package struct RedactedEntry: Hashable, Sendable {
    package struct Order: Hashable, Sendable {
        /// The entry that orders it, and its actor.
        package var seq: Int64
        package var actor: String
        package var redaction: EntryRedacted
    }

    package var seq: Int64
    package var kind: String
    /// Whether the commitment proves that what stands there now is the original without the
    /// withheld values. Else only a signature speaks for it.
    package var isProven: Bool
    package var orders: [Order]
    /// Whether it was ordered before values were committed one by one.
    package var isOfEarlierFormat: Bool
}

/// Checks a chain entry by entry, and at its end whether every body that is not the original one
/// was redacted by an entry that says so.
package struct ChainVerifier: Sendable {
    private var headSeq: Int64 = 0
    private var headHash = Array(JournalEntry.firstPrev.utf8)
    private var epoch: Int64 = 0
    private var writer = CanonicalWriter(capacity: 1024)
    private let digest: ContentDigest
    /// Bodies that are not the original ones, until entries explain them.
    private var unexplained: [Int64: Changed] = [:]
    /// The first entry of a leadership that commits to values one by one. What follows it is
    /// proven or damaged: a body that lost its commitment must not pass for one that never had any.
    private var committedSince: Int64?
    /// The entries of which something was withheld, in no order.
    private var explained: [Int64: RedactedEntry] = [:]

    private struct Changed: Sendable {
        var kind: String
        /// The digest that the header states.
        var original: String
        /// The digest of what stands there now.
        var present: String
        /// The pointers of the withheld values that no entry has named yet, by their commitment;
        /// `nil`: the body proves nothing.
        var parts: [String: String]?
        var body: [UInt8]
        var orders: [RedactedEntry.Order] = []
    }

    package init(digest: ContentDigest) { self.digest = digest }

    package var head: JournalHead {
        JournalHead(seq: headSeq, hash: String(decoding: headHash, as: UTF8.self))
    }

    /// The entries of which something was withheld, in order.
    package var redacted: [RedactedEntry] { explained.values.sorted { $0.seq < $1.seq } }

    /// - Throws: ``JournalFault`` when the entry does not extend the chain.
    package mutating func check(_ entry: JournalEntry) throws(JournalFault) {
        let fault = JournalEntryView.withView(of: entry) { view -> JournalFault? in
            do throws(JournalFault) {
                try check(view)
                return nil
            } catch {
                return error
            }
        }
        if let fault { throw fault }
    }

    /// - Throws: ``JournalFault`` when the entry does not extend the chain.
    package mutating func check(_ entry: JournalEntryView) throws(JournalFault) {
        guard let reason = reason(against: entry) else {
            (headSeq, epoch) = (entry.seq, entry.epoch)
            headHash.removeAll(keepingCapacity: true)
            headHash.append(contentsOf: entry.hash)
            if entry.isKind("entry_redacted") { try explain(entry) }
            return
        }
        if let earlier = unexplained.keys.min() { throw unexplained(earlier) }
        throw JournalFault(seq: entry.seq, reason: reason)
    }

    /// To be called after the last entry.
    ///
    /// - Throws: ``JournalFault`` for the first body that was changed and not redacted.
    package func finish() throws(JournalFault) {
        if let seq = unexplained.keys.min() { throw unexplained(seq) }
    }

    private mutating func reason(against entry: JournalEntryView) -> String? {
        guard entry.seq == headSeq + 1 else {
            return entry.seq > headSeq + 1
                ? "follows entry \(headSeq): entries in between are missing"
                : "stands after entry \(headSeq): it is out of order"
        }
        guard entry.prev.elementsEqual(headHash) else {
            return "does not name the hash of the entry before: it was changed or replaced"
        }
        guard entry.epoch >= epoch else {
            return "has epoch \(entry.epoch), lower than \(epoch) before it"
        }
        writer.reset()
        entry.writeHeader(to: &writer)
        let computed = writer.bytes.withUnsafeBytes { digest.sha256($0) }
        guard Self.isHex(of: computed, entry.hash) else {
            return "its hash does not follow from its content"
        }
        checkBody(of: entry)
        return nil
    }

    private mutating func note(leadership entry: JournalEntryView) {
        guard committedSince == nil,
            let started = try? JSONDecoder().decode(
                LeadershipStarted.self, from: Data(entry.body)),
            started.bodyFormat ?? 1 >= LeadershipStarted.committedFormat
        else { return }
        committedSince = entry.seq
    }

    private mutating func checkBody(of entry: JournalEntryView) {
        if entry.isKind("leadership_started") { note(leadership: entry) }
        if BodyCommitment.isCommitted(entry.body) {
            let body = Array(entry.body)
            let stated = String(decoding: entry.bodySHA256, as: UTF8.self)
            if let parts = BodyCommitment.parts(of: body, sha256: stated, digest: digest) {
                let withheld = parts.filter(\.isWithheld)
                guard !withheld.isEmpty else { return }
                unexplained[entry.seq] = Changed(
                    kind: JournalEntryView.string(entry.kind), original: stated,
                    present: digest.hex(body),
                    parts: Dictionary(
                        withheld.map { ($0.pointer, $0.sha256) }, uniquingKeysWith: { $1 }),
                    body: [])
                return
            }
        }
        let present = digest.sha256(UnsafeRawBufferPointer(entry.body))
        guard !Self.isHex(of: present, entry.bodySHA256) else { return }
        unexplained[entry.seq] = Changed(
            kind: JournalEntryView.string(entry.kind),
            original: String(decoding: entry.bodySHA256, as: UTF8.self),
            present: digest.hex(Array(entry.body)), parts: nil, body: Array(entry.body))
    }

    private mutating func explain(_ entry: JournalEntryView) throws(JournalFault) {
        guard
            let redaction = try? JSONDecoder().decode(
                EntryRedacted.self, from: Data(entry.body)),
            redaction.seq < entry.seq
        else {
            throw JournalFault(seq: entry.seq, reason: "it redacts no entry that stands before it")
        }
        let order = RedactedEntry.Order(
            seq: entry.seq, actor: JournalEntryView.string(entry.actor), redaction: redaction)
        guard var changed = unexplained[redaction.seq],
            redaction.originalSHA256 == changed.original
        else { return }
        changed.orders.append(order)
        unexplained[redaction.seq] = changed
        if let parts = changed.parts {
            let named = redaction.parts ?? [:]
            guard named.allSatisfy({ parts[$0.key] ?? $0.value == $0.value }) else { return }
            let left = parts.filter { named[$0.key] == nil }
            unexplained[redaction.seq]?.parts = left
            guard left.isEmpty else { return }
            settle(redaction.seq, isProven: true)
        } else if redaction.redactedSHA256 == changed.present,
            redaction.parts == nil, changed.kind != "entry_redacted",
            committedSince.map({ redaction.seq < $0 }) ?? true,
            Redaction.isWithheld(redaction.fields, in: changed.body)
        {
            settle(redaction.seq, isProven: false)
        }
    }

    private mutating func settle(_ seq: Int64, isProven: Bool) {
        guard let changed = unexplained.removeValue(forKey: seq) else { return }
        let last = changed.orders.last?.seq ?? 0
        explained[seq] = RedactedEntry(
            seq: seq, kind: changed.kind, isProven: isProven, orders: changed.orders,
            isOfEarlierFormat: committedSince.map { last < $0 } ?? true)
    }

    private func unexplained(_ seq: Int64) -> JournalFault {
        JournalFault(
            seq: seq,
            reason: unexplained[seq]?.parts == nil
                ? "its body does not have the digest that it states, and no entry redacts it so"
                : "values of its body are withheld, and no entry orders it")
    }

    private static func isHex(of bytes: [UInt8], _ text: JournalEntryView.Text) -> Bool {
        guard text.count == 2 * bytes.count else { return false }
        for (index, byte) in bytes.enumerated() {
            guard text[2 * index] == CanonicalWriter.hexDigit(byte >> 4),
                text[2 * index + 1] == CanonicalWriter.hexDigit(byte & 15)
            else { return false }
        }
        return true
    }
}
