/// What an agent says of the checkpoints that it keeps.
package struct WitnessState: Codable, Hashable, Sendable {
    /// The last checkpoint that it has taken.
    package var seq: Int64
    package var hash: String
    /// What it found wrong; it takes no checkpoint any more until a person has looked.
    package var alarm: String?

    package init(seq: Int64, hash: String, alarm: String? = nil) {
        self.seq = seq
        self.hash = hash
        self.alarm = alarm
    }
}

/// An entry's header without the hashes, which follow from it: what proves that one checkpoint
/// extends another, and says nothing of the bodies.
package struct ChainLink: Codable, Hashable, Sendable {
    package var seq: Int64
    package var epoch: Int64
    package var atMs: Int64
    package var actor: String
    package var clusterID: ClusterID?
    package var kind: String
    package var bodySHA256: String

    package init(of entry: JournalEntry) {
        seq = entry.seq
        epoch = entry.epoch
        atMs = entry.atMs
        actor = entry.actor
        clusterID = entry.clusterID
        kind = entry.kind
        bodySHA256 = entry.bodySHA256
    }

    package func hash(after prev: String, digest: ContentDigest) -> String {
        JournalEntry(
            seq: seq, epoch: epoch, atMs: atMs, actor: actor, clusterID: clusterID, kind: kind,
            body: [], bodySHA256: bodySHA256, prev: prev, hash: ""
        ).computedHash(digest: digest)
    }

    private enum CodingKeys: String, CodingKey {
        case seq, epoch
        case atMs = "at_ms"
        case actor
        case clusterID = "cluster_id"
        case kind
        case bodySHA256 = "body_sha256"
    }
}

/// `GET agent/links`.
package struct ChainLinks: Codable, Hashable, Sendable {
    package var links: [ChainLink]

    package init(links: [ChainLink]) { self.links = links }
}

/// One line of an agent's witness file. Lines are only ever added.
package struct WitnessRecord: Codable, Hashable, Sendable {
    package var nodeID: NodeID
    /// UTC milliseconds since 1970, by the agent's clock.
    package var atMs: Int64
    package var checkpoint: Checkpoint
    /// Set where this checkpoint is not taken but kept as evidence.
    package var alarm: String?

    package init(nodeID: NodeID, atMs: Int64, checkpoint: Checkpoint, alarm: String? = nil) {
        self.nodeID = nodeID
        self.atMs = atMs
        self.checkpoint = checkpoint
        self.alarm = alarm
    }

    private enum CodingKeys: String, CodingKey {
        case nodeID = "node_id"
        case atMs = "at_ms"
        case checkpoint, alarm
    }
}

/// How a witness judges the checkpoints that it is shown. Pure: the agent keeps what it decides.
package struct Witness: Sendable {
    package enum Step: Hashable, Sendable {
        case nothing
        /// The links after `after` up to the checkpoint are needed, to see that it extends the
        /// last one.
        case prove(after: Int64)
        case take
        case alarm(String)
    }

    /// How many hashes are kept to compare with other witnesses.
    private static let recentMax: Int64 = 4096

    package private(set) var last: Checkpoint?
    package private(set) var alarm: String?
    /// The hashes that are proven, by entry.
    private var known: [Int64: String] = [:]

    /// - Parameter records: the lines of the witness file, in order.
    package init(records: [WitnessRecord] = []) {
        for record in records {
            if let alarm = record.alarm {
                self.alarm = alarm
            } else {
                last = record.checkpoint
                known[record.checkpoint.seq] = record.checkpoint.hash
            }
        }
        forget()
    }

    package var state: WitnessState? {
        if let last { return WitnessState(seq: last.seq, hash: last.hash, alarm: alarm) }
        return alarm.map { WitnessState(seq: 0, hash: JournalEntry.firstPrev, alarm: $0) }
    }

    /// - Parameters:
    ///   - checkpoint: what an orchestrator shows; `nil`: it has none.
    ///   - stated: what the report said that this answers, so that a late answer is told from a
    ///     journal that went back.
    package mutating func hear(_ checkpoint: Checkpoint?, stated: WitnessState?) -> Step {
        guard alarm == nil else { return .nothing }
        guard let checkpoint else {
            guard let stated else { return .nothing }
            return raise("rewind: entry \(stated.seq) was witnessed, now no checkpoint is shown")
        }
        if let stated, checkpoint.seq < stated.seq {
            return raise(
                "rewind: entry \(stated.seq) was witnessed, now the last checkpoint is of entry "
                    + "\(checkpoint.seq)")
        }
        if let step = compare(seq: checkpoint.seq, hash: checkpoint.hash, with: "shown") {
            return step
        }
        guard let last, checkpoint.seq != last.seq else {
            return last == nil ? take(checkpoint) : .nothing
        }
        return checkpoint.seq > last.seq ? .prove(after: last.seq) : .nothing
    }

    /// Whether `links` lead from the last checkpoint to this one.
    package mutating func prove(
        _ checkpoint: Checkpoint, by links: [ChainLink], digest: ContentDigest
    ) -> Step {
        guard alarm == nil, let last, checkpoint.seq > last.seq else { return .nothing }
        var hash = last.hash
        var hashes: [Int64: String] = [:]
        for (seq, link) in zip(last.seq + 1...checkpoint.seq, links) {
            guard link.seq == seq else { break }
            hash = link.hash(after: hash, digest: digest)
            hashes[seq] = hash
        }
        guard Int64(hashes.count) == checkpoint.seq - last.seq, hash == checkpoint.hash else {
            return raise(
                "fork: the checkpoint of entry \(checkpoint.seq) does not extend that of entry "
                    + "\(last.seq); an entry up to \(last.seq) was rewritten")
        }
        known.merge(hashes) { $1 }
        return take(checkpoint)
    }

    /// Compares with what another witness keeps.
    package mutating func compare(with other: WitnessState, of node: NodeID) -> Step {
        guard alarm == nil else { return .nothing }
        return compare(seq: other.seq, hash: other.hash, with: "kept by \(node)") ?? .nothing
    }

    /// To be called for a checkpoint whose signature is wrong.
    package mutating func raise(_ finding: String) -> Step {
        alarm = finding
        return .alarm(finding)
    }

    private mutating func compare(seq: Int64, hash: String, with whose: String) -> Step? {
        guard let mine = known[seq], mine != hash else { return nil }
        return raise("fork: entry \(seq) was witnessed with another hash than is now \(whose)")
    }

    private mutating func take(_ checkpoint: Checkpoint) -> Step {
        last = checkpoint
        known[checkpoint.seq] = checkpoint.hash
        forget()
        return .take
    }

    private mutating func forget() {
        guard let last, known.count > Self.recentMax else { return }
        known = known.filter { $0.key > last.seq - Self.recentMax }
    }
}
