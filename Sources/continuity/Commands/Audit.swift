import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import ContinuityServer
import ContinuityStore
import Foundation

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and check the journal: every decision, and the evidence for it.",
        subcommands: [
            AuditList.self, AuditShow.self, AuditVerify.self, AuditKeyCommand.self,
            AuditSign.self,
            AuditExport.self, AuditRedact.self, AuditAccess.self,
        ])
}

/// One entry as the API and `--json` print it.
struct PrintedEntry: Codable {
    var seq: Int64
    var epoch: Int64
    var atMs: Int64
    var actor: String
    var clusterID: String?
    var kind: String
    var body: JSONValue
    var bodySHA256: String
    var prev: String
    var hash: String

    enum CodingKeys: String, CodingKey {
        case seq, epoch
        case atMs = "at_ms"
        case actor
        case clusterID = "cluster_id"
        case kind, body
        case bodySHA256 = "body_sha256"
        case prev, hash
    }
}

/// Where entries are read from: a journal's file, or a running server.
struct JournalSource: ParsableArguments {
    @Option(help: "Read this journal file instead of asking a server.")
    var journal: String?

    @OptionGroup var server: ServerOptions

    /// - Parameters:
    ///   - kind: only entries of this kind; `nil`: of all kinds.
    ///   - newest: the last ones that fit, instead of the first. In order all the same.
    func entries(
        after seq: Int64, limit: Int, kind: String? = nil, newest: Bool = false
    ) async throws -> [PrintedEntry] {
        guard let journal else {
            return Array(
                try await server.entries(after: seq, kind: kind, limit: limit, newest: newest)
                    .prefix(limit))
        }
        return try JournalStore.read(path: journal).entries(
            JournalQuery(after: seq, limit: limit, kind: kind, isNewest: newest)
        ).map {
            try JSONDecoder().decode(PrintedEntry.self, from: Data($0.jsonBytes()))
        }
    }
}

struct AuditList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List entries, the oldest first.")

    @OptionGroup var source: JournalSource

    @Option(help: "Only entries after this number.")
    var after: Int64 = 0

    @Option(help: "At most so many, 1 to 1000.")
    var limit = 100

    @Option(help: "Only entries of this kind, for example run_finished.")
    var kind: String?

    @Flag(help: "The newest entries that fit, instead of the oldest. Still in order.")
    var newest = false

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        guard (1...1000).contains(limit), after >= 0 else {
            throw ValidationError("--limit is 1 to 1000, --after is not negative.")
        }
        guard kind.map(Self.isKind) ?? true else {
            throw ValidationError("--kind is the name of a kind, for example run_finished.")
        }
    }

    private static func isKind(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97...122).contains($0) || $0 == UInt8(ascii: "_") }
    }

    func run() async throws {
        try await reporting {
            let entries = try await source.entries(
                after: after, limit: limit, kind: kind, newest: newest)
            if json { return try entries.forEach { try printJSON($0) } }
            var table = Table("SEQ", "TIME", "EPOCH", "CLUSTER", "ACTOR", "KIND", "BODY")
            for entry in entries {
                var members = entry.body.object ?? [:]
                // Salts tell a reader nothing.
                members[BodyCommitment.member] = nil
                let body = String(
                    decoding: CanonicalJSON.bytes(.object(members)), as: UTF8.self)
                table.add(
                    String(entry.seq), timestamp(entry.atMs), String(entry.epoch),
                    entry.clusterID ?? "-", entry.actor, entry.kind,
                    body.count > 100 ? body.prefix(99) + "…" : body)
            }
            print(table.text)
        }
    }
}

struct AuditShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one entry, whole.")

    @Argument(help: "The entry's number.")
    var seq: Int64

    @OptionGroup var source: JournalSource

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try await reporting {
            let found = try await source.entries(after: seq - 1, limit: 1)
            guard let entry = found.first, entry.seq == seq else {
                throw failure("the journal has no entry \(seq)", Exit.unmet)
            }
            if json { return try printJSON(entry) }
            func text(_ value: String) -> String { SafeText.line(value) }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(
                """
                entry    \(entry.seq), epoch \(entry.epoch)
                time     \(timestamp(entry.atMs))
                actor    \(text(entry.actor))
                cluster  \(text(entry.clusterID ?? "-"))
                kind     \(text(entry.kind))
                prev     \(entry.prev)
                hash     \(entry.hash)
                body     \(SafeText.json(String(decoding: try encoder.encode(entry.body), as: UTF8.self)))
                """)
        }
    }
}
