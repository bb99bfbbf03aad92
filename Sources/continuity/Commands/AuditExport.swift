import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityCore
import ContinuityCrypto
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the audit pack of a run: a signed folder that anybody can check.",
        discussion: "Check it with 'continuity audit verify FOLDER --public-key FILE'.")

    @Argument(help: "The run's id, for example run-10f55a25c4e1acb9.")
    var run: String

    @Option(help: "The journal's file; 'serve' may run.")
    var journal: String

    @Option(help: "The audit key (private), which signs the manifest.")
    var key: String

    @Option(help: "The folder to make.")
    var output: String

    func run() async throws {
        try await reporting {
            let key = try AuditKey.load(file: self.key)
            var entries: [JournalEntry] = []
            try JournalStore.read(path: journal).verify(digest: .openSSL) {
                entry throws(JournalFault) in
                entries.append(entry)
            }
            do {
                let selected = try PackEntry.select(
                    run: RunID(run), from: entries, digest: .openSSL)
                let files = try AuditPack.files(of: selected, key: key, digest: .openSSL)
                try AuditPack.write(files, to: output)
                let verdict = try AuditPack.verify(
                    folder: output, keys: [key.key.publicKey], digest: .openSSL)
                print("\(output): \(verdict.entries) entries, \(files.count) files")
                if verdict.signedSeq == nil {
                    printError("continuity: no checkpoint stands after the run yet")
                }
            } catch let fault as JournalFault {
                throw failure("\(journal): \(fault.reason)", Exit.unmet)
            } catch let error as PackError {
                throw failure("\(error)", Exit.unmet)
            }
        }
    }
}
