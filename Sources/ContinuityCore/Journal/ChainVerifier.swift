import FoundationEssentials

/// Checks a chain entry by entry, and at its end whether every body that is not the original one
/// was redacted by an entry that says so.
package struct ChainVerifier: Sendable {
    private var headSeq: Int64 = 0
    private var headHash = Array(JournalEntry.firstPrev.utf8)
    private var epoch: Int64 = 0
    private var writer = CanonicalWriter(capacity: 1024)
    private let digest: ContentDigest
    /// The digests of bodies that are not what their entries state, until an entry explains them.
    private var unexplained: [Int64: [UInt8]] = [:]

    package init(digest: ContentDigest) { self.digest = digest }

    package var head: JournalHead {
        JournalHead(seq: headSeq, hash: String(decoding: headHash, as: UTF8.self))
    }

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
        if let earlier = unexplained.keys.min() { throw Self.unexplained(earlier) }
        throw JournalFault(seq: entry.seq, reason: reason)
    }

    /// To be called after the last entry.
    ///
    /// - Throws: ``JournalFault`` for the first body that was changed and not redacted.
    package func finish() throws(JournalFault) {
        if let seq = unexplained.keys.min() { throw Self.unexplained(seq) }
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
        let body = digest.sha256(UnsafeRawBufferPointer(entry.body))
        if !Self.isHex(of: body, entry.bodySHA256) { unexplained[entry.seq] = body }
        return nil
    }

    private mutating func explain(_ entry: JournalEntryView) throws(JournalFault) {
        guard
            let redaction = try? JSONDecoder().decode(
                EntryRedacted.self, from: Data(entry.body)),
            redaction.seq < entry.seq
        else {
            throw JournalFault(seq: entry.seq, reason: "it redacts no entry that stands before it")
        }
        guard let actual = unexplained[redaction.seq] else { return }
        let isExplained = redaction.redactedSHA256.utf8.elementsEqual(Self.hex(actual))
        if isExplained { unexplained[redaction.seq] = nil }
    }

    private static func unexplained(_ seq: Int64) -> JournalFault {
        JournalFault(
            seq: seq,
            reason: "its body does not have the digest that it states, and no entry redacts it")
    }

    private static func hex(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { [CanonicalWriter.hexDigit($0 >> 4), CanonicalWriter.hexDigit($0 & 15)] }
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
