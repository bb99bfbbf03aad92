import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityCore
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditAccess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Who could do what, who did, and who never used their rights.",
        discussion: """
            What people could do is in the configuration of 'serve' (certificates, links of alert \
            channels, the first token) and in the journal (tokens). Exits with 1 when somebody \
            acted beyond that.
            """)

    @Option(help: "The configuration that 'serve' runs with.")
    var config: String

    @Option(help: "The journal's file, where it is not that of the configuration; 'serve' may run.")
    var journal: String?

    @Option(help: "Look at so many days back.")
    var days: Int64 = 92

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...36_500).contains(days) else { throw ValidationError("--days is 1 to 36500.") }
    }

    func run() async throws {
        try await reporting {
            let configuration = try ServerConfiguration.load(file: config)
            let journal = journal ?? configuration.journal
            var entries: [JournalEntry] = []
            try JournalStore.read(path: journal).verify(digest: .openSSL) {
                entry throws(JournalFault) in
                if entry.actor != "continuity" { entries.append(entry) }
            }
            let nowMs = Int64(Date().timeIntervalSince1970 * 1000)
            let report = try AccessReport(
                configured: configuration.grants,
                namesAreClaimed: configuration.namesAreClaimed, entries: entries,
                fromMs: nowMs - days * 86_400_000, toMs: nowMs)
            if json { try printJSON(report) } else { print(Self.text(report)) }
            if report.hasUncovered { throw Exit.unmet }
        }
    }

    private static func text(_ report: AccessReport) -> String {
        let people = report.people.map { person in
            let did = person.actions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            var lines = [
                "\(person.name), last \(person.lastAtMs.map(timestamp) ?? "never"): "
                    + (person.findings.isEmpty ? "ok" : "to review")
            ]
            lines += wrapped("could", person.grants.isEmpty ? ["-"] : person.grants.map(could))
            lines += wrapped("did", did.isEmpty ? ["-"] : [did.joined(separator: ", ")])
            if !person.findings.isEmpty { lines += wrapped("review", person.findings) }
            return lines.joined(separator: "\n")
        }
        let claimed =
            report.namesAreClaimed
            ? "without TLS everybody has every right, and a name is what somebody says\n" : ""
        return "\(timestamp(report.fromMs)) to \(timestamp(report.toMs))\n\(claimed)"
            + people.joined(separator: "\n")
    }

    /// Lines of at most 100 columns under a word; what is longer goes on further in.
    private static func wrapped(_ word: String, _ texts: [String]) -> [String] {
        var lines: [String] = []
        for text in texts {
            var line = "  " + word + String(repeating: " ", count: max(1, 8 - word.count))
            if !lines.isEmpty { line = String(repeating: " ", count: 10) }
            for part in text.split(separator: " ") {
                if line.count + part.count > 99, !line.allSatisfy({ $0 == " " }) {
                    lines.append(line)
                    line = String(repeating: " ", count: 12)
                }
                line += (line.last == " " ? "" : " ") + part
            }
            lines.append(line)
        }
        return lines
    }

    private static func could(_ grant: AccessGrant) -> String {
        "\(grant.role.rawValue) on "
            + (grant.clusters.isEmpty ? "all" : grant.clusters.joined(separator: ","))
            + " by \(grant.credential)" + (grant.purpose.map { " (\($0))" } ?? "")
            + (grant.expiresAtMs.map { " until \(timestamp($0))" } ?? "")
            + (grant.claimedFrom.map { ", claimed from \($0)" } ?? "")
            + (grant.knownBy.isEmpty
                ? "" : ", known to \(grant.knownBy.joined(separator: ","))")
    }
}
