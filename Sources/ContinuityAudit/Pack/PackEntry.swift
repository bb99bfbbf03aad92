package import ContinuityCore
import Foundation

/// A journal entry as a pack holds it: whole where it is about the run, else its header alone.
package struct PackEntry: Codable, Hashable, Sendable {
    package var link: ChainLink
    package var prev: String
    package var hash: String
    package var body: JSONValue?
    /// Values of the body were withheld. Where nothing proves the rest of it, there is no body.
    package var redacted: Bool?

    package init(_ entry: JournalEntry, withBody: Bool, digest: ContentDigest) throws {
        link = ChainLink(of: entry)
        prev = entry.prev
        hash = entry.hash
        guard withBody else { return }
        switch Self.proof(entry.body, entry.bodySHA256, digest) {
        case .whole: redacted = nil
        case .parts: redacted = true
        case nil:
            // An earlier version redacted it: a pack holds no word that nothing proves.
            redacted = true
            return
        }
        body = try JSONDecoder().decode(JSONValue.self, from: Data(entry.body))
    }

    private enum Proof { case whole, parts }

    /// How the header's digest bears out a body.
    private static func proof(_ body: [UInt8], _ sha256: String, _ digest: ContentDigest) -> Proof?
    {
        if digest.hex(body) == sha256 { return .whole }
        return BodyCommitment.parts(of: body, sha256: sha256, digest: digest).map {
            $0.contains(where: \.isWithheld) ? .parts : .whole
        }
    }

    package init(from decoder: any Decoder) throws {
        link = try ChainLink(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        prev = try container.decode(String.self, forKey: .prev)
        hash = try container.decode(String.self, forKey: .hash)
        body = try container.decodeIfPresent(JSONValue.self, forKey: .body)
        redacted = try container.decodeIfPresent(Bool.self, forKey: .redacted)
    }

    package func encode(to encoder: any Encoder) throws {
        try link.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(prev, forKey: .prev)
        try container.encode(hash, forKey: .hash)
        try container.encodeIfPresent(body, forKey: .body)
        try container.encodeIfPresent(redacted, forKey: .redacted)
    }

    private enum CodingKeys: String, CodingKey {
        case prev, hash, body, redacted
    }

    var seq: Int64 { link.seq }
    var kind: String { link.kind }

    /// What the body says, where the pack has it.
    ///
    /// - Throws: ``JournalFault`` when it does not fit its kind.
    func content() throws(JournalFault) -> JournalBody? {
        guard let body else { return nil }
        return try JournalBody(
            of: JournalEntry(
                seq: link.seq, epoch: link.epoch, atMs: link.atMs, actor: link.actor,
                clusterID: link.clusterID, kind: link.kind, body: CanonicalJSON.bytes(body),
                bodySHA256: link.bodySHA256, prev: prev, hash: hash))
    }

    /// Checks a chain of entries from the first to the last.
    ///
    /// - Throws: ``JournalFault`` naming the first entry that does not fit.
    package static func check(
        _ entries: [PackEntry], digest: ContentDigest
    ) throws(JournalFault) {
        var before: PackEntry?
        for entry in entries {
            func fault(_ reason: String) -> JournalFault {
                JournalFault(seq: entry.seq, reason: reason)
            }
            if let before {
                guard entry.seq == before.seq + 1 else { throw fault("entries are missing") }
                guard entry.prev == before.hash else {
                    throw fault("does not name the hash of the entry before")
                }
            }
            guard entry.link.hash(after: entry.prev, digest: digest) == entry.hash else {
                throw fault("its hash does not follow from its content")
            }
            if let body = entry.body {
                let proof = proof(CanonicalJSON.bytes(body), entry.link.bodySHA256, digest)
                guard let proof else {
                    throw fault("its body does not have the digest that it states")
                }
                guard (proof == .parts) == (entry.redacted == true) else {
                    throw fault("it does not say rightly whether values are withheld")
                }
            }
            before = entry
        }
    }

    /// The entries of one run, and the headers of those in between, up to the first checkpoint
    /// after its last.
    ///
    /// - Throws: ``JournalFault`` when the journal knows no such run, or it has not ended.
    package static func select(
        run: RunID, from entries: [JournalEntry], digest: ContentDigest
    ) throws -> [PackEntry] {
        let approval = try approval(of: run, in: entries)
        var related = Set<Int64>()
        var alerts = Set<String>()
        var end: Int64?
        for entry in entries {
            let body = try JSONDecoder().decode(JSONValue.self, from: Data(entry.body))
            let alert = body["alert"]?["alert_id"]?.string ?? body["alert_id"]?.string
            let isAbout =
                body["run_id"]?.string == run.rawValue
                || body["operation"]?["run_id"]?.string == run.rawValue
                || body["operation"]?.string?.hasPrefix(run.rawValue + "/") == true
                || body["alert"]?["subject"]?.string == run.rawValue
                || body["review"]?["run_id"]?.string == run.rawValue
                || approval.map { concerns($0, body) } == true
                || alert.map(alerts.contains) == true
            guard isAbout else { continue }
            // What happened to it long after it ended is of another story.
            if let end, entry.kind != "alert_delivered", entry.seq > end + 1 { continue }
            if let alert { alerts.insert(alert) }
            related.insert(entry.seq)
            if entry.kind == "run_finished" { end = entry.seq }
        }
        guard let first = related.min(), let end else {
            throw JournalFault(
                seq: entries.last?.seq ?? 0,
                reason: related.isEmpty
                    ? "the journal up to here knows no run '\(run)'" : "\(run) has not ended yet")
        }
        let checkpoint = entries.first { $0.kind == "checkpoint_signed" && $0.seq > end }?.seq
        let last = checkpoint ?? related.max() ?? end
        return try entries.filter { (first...last).contains($0.seq) }.map { entry in
            try PackEntry(
                entry,
                withBody: related.contains(entry.seq) || entry.kind == "checkpoint_signed",
                digest: digest)
        }
    }

    /// The approval that the run rests on, where it needed one.
    private static func approval(
        of run: RunID, in entries: [JournalEntry]
    ) throws -> String? {
        for entry in entries where entry.kind == "run_requested" {
            let body = try JSONDecoder().decode(JSONValue.self, from: Data(entry.body))
            if body["run_id"]?.string == run.rawValue { return body["approval_id"]?.string }
        }
        return nil
    }

    private static func concerns(_ approval: String, _ body: JSONValue) -> Bool {
        body["approval_id"]?.string == approval
            || body["approval"]?["approval_id"]?.string == approval
            || body["alert"]?["subject"]?.string == approval
    }
}
