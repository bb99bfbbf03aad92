import ArgumentParser
import ContinuityAudit
import ContinuityCore
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditAccess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Who could do what, who did, and who never used their rights.",
        discussion: """
            --grants is YAML or JSON: grants: [{name, role, clusters?, expires_at_ms?}]. Exits with \
            1 when somebody acted without a grant.
            """)

    @Option(help: "The journal's file; 'serve' may run.")
    var journal: String

    @Option(help: "The file with what is granted.")
    var grants: String

    @Option(help: "Look at so many days back.")
    var days: Int64 = 92

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...36_500).contains(days) else { throw ValidationError("--days is 1 to 36500.") }
    }

    func run() async throws {
        try await reporting {
            let granted = try AccessGrant.load(file: grants)
            var entries: [JournalEntry] = []
            try JournalStore.read(path: journal).verify(digest: .openSSL) {
                entry throws(JournalFault) in
                if entry.actor != "continuity" { entries.append(entry) }
            }
            let nowMs = Int64(Date().timeIntervalSince1970 * 1000)
            let report = AccessReport(
                grants: granted, entries: entries, fromMs: nowMs - days * 86_400_000, toMs: nowMs)
            if json { try printJSON(report) } else { print(Self.text(report)) }
            let hasUnknown = report.people.contains { $0.isUnknown || !$0.outside.isEmpty }
            if hasUnknown { throw Exit.unmet }
        }
    }

    private static func text(_ report: AccessReport) -> String {
        var table = Table("NAME", "COULD", "DID", "LAST", "REVIEW")
        for person in report.people {
            let could = person.grants.map {
                "\($0.role) on "
                    + ($0.clusters.isEmpty ? "all" : $0.clusters.joined(separator: ","))
                    + ($0.expiresAtMs.map { " until \(timestamp($0))" } ?? "")
            }
            let did = person.actions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            var review: [String] = []
            if person.isUnknown { review.append("NOT GRANTED") }
            if person.isUnused { review.append("never used") }
            if !person.isUnknown, !person.outside.isEmpty {
                review.append("outside its clusters: \(person.outside.joined(separator: ","))")
            }
            if person.grants.contains(where: { $0.expiresAtMs.map { $0 < report.toMs } ?? false }) {
                review.append("expired")
            }
            table.add(
                person.name, could.isEmpty ? "-" : could.joined(separator: "; "),
                did.isEmpty ? "-" : did.joined(separator: ", "),
                person.lastAtMs.map(timestamp) ?? "-",
                review.isEmpty ? "ok" : review.joined(separator: "; "))
        }
        return "\(timestamp(report.fromMs)) to \(timestamp(report.toMs))\n\(table.text)"
    }
}
