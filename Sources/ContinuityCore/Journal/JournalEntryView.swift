/// One entry where the store holds it, without a copy: what checks a million of them in seconds.
///
/// The pointers are valid only within the call that hands the view over.
package struct JournalEntryView {
    package typealias Text = UnsafeBufferPointer<UInt8>

    package var seq: Int64
    package var epoch: Int64
    package var atMs: Int64
    package var actor: Text
    package var clusterID: Text?
    package var kind: Text
    package var body: Text
    package var bodySHA256: Text
    package var prev: Text
    package var hash: Text

    package init(
        seq: Int64, epoch: Int64, atMs: Int64, actor: Text, clusterID: Text?, kind: Text,
        body: Text, bodySHA256: Text, prev: Text, hash: Text
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

    /// The entry, copied, to be kept.
    package var entry: JournalEntry {
        JournalEntry(
            seq: seq, epoch: epoch, atMs: atMs, actor: Self.string(actor),
            clusterID: clusterID.map { ClusterID(Self.string($0)) }, kind: Self.string(kind),
            body: Array(body), bodySHA256: Self.string(bodySHA256), prev: Self.string(prev),
            hash: Self.string(hash))
    }

    package static func string(_ text: Text) -> String { String(decoding: text, as: UTF8.self) }

    package func isKind(_ name: StaticString) -> Bool {
        name.withUTF8Buffer { kind.elementsEqual($0) }
    }

    func writeHeader(to writer: inout CanonicalWriter) {
        writer.raw(#"{"actor":"#)
        writer.string(utf8: actor)
        writer.raw(#","at_ms":"#)
        writer.int(atMs)
        writer.raw(#","body_sha256":"#)
        writer.string(utf8: bodySHA256)
        writer.raw(#","cluster_id":"#)
        writer.string(utf8: clusterID ?? Text(start: nil, count: 0))
        writer.raw(#","epoch":"#)
        writer.int(epoch)
        writer.raw(#","kind":"#)
        writer.string(utf8: kind)
        writer.raw(#","prev":"#)
        writer.string(utf8: prev)
        writer.raw(#","seq":"#)
        writer.int(seq)
        writer.raw("}")
    }

    /// Calls `body` with a view of an entry that is at hand.
    package static func withView<Result>(
        of entry: JournalEntry, _ body: (JournalEntryView) -> Result
    ) -> Result {
        // One block of memory for all texts, so that one pointer serves them all.
        var bytes: [UInt8] = []
        var ends: [Int] = []
        func add(_ text: some Sequence<UInt8>) {
            bytes.append(contentsOf: text)
            ends.append(bytes.count)
        }
        add(entry.actor.utf8)
        add((entry.clusterID?.rawValue ?? "").utf8)
        add(entry.kind.utf8)
        add(entry.body)
        add(entry.bodySHA256.utf8)
        add(entry.prev.utf8)
        add(entry.hash.utf8)
        return bytes.withUnsafeBufferPointer { all in
            func part(_ index: Int) -> Text {
                Text(rebasing: all[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
            }
            return body(
                JournalEntryView(
                    seq: entry.seq, epoch: entry.epoch, atMs: entry.atMs, actor: part(0),
                    clusterID: entry.clusterID == nil ? nil : part(1), kind: part(2),
                    body: part(3), bodySHA256: part(4), prev: part(5), hash: part(6)))
        }
    }
}
