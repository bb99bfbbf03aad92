import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityCore
import ContinuityCrypto
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditRedact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redact",
        abstract: "Withhold personal data in entries, without breaking the chain.",
        discussion: """
            'serve' must not run. What is withheld is gone from the file; who did it, and why, is \
            journaled, and the audit key signs for it. An entry's actor stands in its header and stays: use names there that say \
            nothing outside.
            """)

    @Option(help: "The journal's file.")
    var journal: String

    @Option(help: "The entry. May be repeated.")
    var seq: [Int64] = []

    @Option(help: "Instead of --seq: every entry that is older than so many days.")
    var olderThanDays: Int64?

    @Option(
        help:
            "A field to withhold, wherever in the body. May be repeated. Default: all that can be."
    )
    var field: [String] = []

    @Option(help: "Why: it is journaled.")
    var reason: String

    @Option(help: "Who orders it: it is journaled.")
    var by: String

    @Option(
        help: "The audit key (private), which signs for it. Only an unsigned journal needs none.")
    var key: String?

    func validate() throws {
        guard seq.isEmpty != (olderThanDays == nil) else {
            throw ValidationError("Name entries with --seq, or give --older-than-days.")
        }
        guard olderThanDays ?? 0 >= 0 else {
            throw ValidationError("--older-than-days is 0 or more.")
        }
        guard !reason.isEmpty, !by.isEmpty else {
            throw ValidationError("--reason and --by must say something.")
        }
    }

    func run() async throws {
        try await reporting {
            let key = try self.key.map { try AuditKey.load(file: $0) }
            let store = try JournalStore.open(path: journal)
            var entries: [JournalEntry] = []
            var state = OrchestratorState()
            try store.verify(digest: .openSSL) { entry throws(JournalFault) in
                entries.append(entry)
                try state.replay(entry)
            }
            guard key != nil || state.checkpoint == nil else {
                throw failure(
                    "\(journal): is signed, so a redaction must be too; give --key", Exit.badFile)
            }
            let redactions = try redactions(entries, state, key)
            guard !redactions.isEmpty else { return print("\(journal): nothing to withhold") }
            try store.redact(redactions)
            try store.verify(digest: .openSSL)
            if let key { try key.signEnd(of: store) }
            try store.close()
            for redaction in redactions {
                print("entry \(redaction.seq): withheld, entry \(redaction.entry.seq) says so")
            }
        }
    }

    private func redactions(
        _ entries: [JournalEntry], _ state: OrchestratorState, _ key: AuditKey?
    ) throws -> [RedactedBody] {
        let nowMs = Int64(Date().timeIntervalSince1970 * 1000)
        let fields = field.isEmpty ? Redaction.fields : Set(field)
        if let order = entries.first(where: { seq.contains($0.seq) && $0.kind == "entry_redacted" })
        {
            throw failure(
                "\(journal): entry \(order.seq) says what was withheld and stays as it is",
                Exit.refused)
        }
        if let unknown = Set(seq).subtracting(entries.map(\.seq)).min() {
            throw failure("\(journal): there is no entry \(unknown)", Exit.unmet)
        }
        var head = state.head
        var redactions: [RedactedBody] = []
        for entry in entries where isWanted(entry, nowMs) {
            do throws(Redaction.Refusal) {
                let result = try Redaction.redact(entry, fields: fields, digest: .openSSL)
                guard result.parts != nil || key != nil else {
                    throw .unfit(
                        "nothing would prove what is left of it, so the audit key must sign; "
                            + "give --key")
                }
                var order = EntryRedacted(
                    seq: entry.seq, fields: result.fields, originalSHA256: entry.bodySHA256,
                    redactedSHA256: ContentDigest.openSSL.hex(result.body), reason: reason,
                    parts: result.parts)
                key?.sign(&order, by: by)
                let body = JournalBody.entryRedacted(order)
                let explanation = JournalEntry(
                    after: head, epoch: state.epoch, atMs: nowMs, actor: by,
                    clusterID: entry.clusterID, kind: body.kind, body: body.bytes(),
                    digest: .openSSL)
                head = JournalHead(seq: explanation.seq, hash: explanation.hash)
                redactions.append(
                    RedactedBody(seq: entry.seq, body: result.body, entry: explanation))
            } catch {
                // By age: most entries have nothing personal in them.
                if error == .nothingThere, olderThanDays != nil { continue }
                throw failure("\(journal): entry \(entry.seq): \(error)", Exit.refused)
            }
        }
        return redactions
    }

    private func isWanted(_ entry: JournalEntry, _ nowMs: Int64) -> Bool {
        // What explains a redaction must stay as it is.
        guard entry.kind != "entry_redacted" else { return false }
        guard let olderThanDays else { return seq.contains(entry.seq) }
        let days = olderThanDays.multipliedSaturated(by: 86_400_000)
        return entry.atMs < nowMs.subtractingSaturated(days)
    }
}
