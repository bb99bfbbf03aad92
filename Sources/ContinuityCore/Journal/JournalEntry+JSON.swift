extension JournalEntry {
    /// The entry as one JSON object, with its body in it. `body` is canonical JSON and is put in
    /// as it is, so that its digest can be checked on what is printed.
    package func jsonBytes() -> [UInt8] {
        var writer = CanonicalWriter(capacity: body.count + 512)
        writer.raw(#"{"seq":"#)
        writer.int(seq)
        writer.raw(#","epoch":"#)
        writer.int(epoch)
        writer.raw(#","at_ms":"#)
        writer.int(atMs)
        writer.raw(#","actor":"#)
        writer.string(actor)
        writer.raw(#","cluster_id":"#)
        writer.write(clusterID.map { .string($0.rawValue) } ?? .null)
        writer.raw(#","kind":"#)
        writer.string(kind)
        writer.raw(#","body":"#)
        writer.append(body)
        writer.raw(#","body_sha256":"#)
        writer.string(bodySHA256)
        writer.raw(#","prev":"#)
        writer.string(prev)
        writer.raw(#","hash":"#)
        writer.string(hash)
        writer.raw("}")
        return writer.bytes
    }
}
