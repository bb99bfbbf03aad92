import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import ContinuityServer
import ContinuityStore
import Foundation

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy a journal as it is at one moment, also while 'serve' runs.",
        discussion: "The copy is checked before it takes the place of an earlier one.")

    @Option(help: "The journal's file.")
    var journal: String

    @Option(help: "Where the copy goes.")
    var output: String

    func run() async throws {
        try await reporting {
            let head = try JournalStore.read(path: journal).backUp(to: output, digest: .openSSL)
            print("\(output): \(head.seq) entries, the chain holds; head \(head.hash)")
        }
    }
}

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a journal together from a backup and what the damaged file still proves.",
        discussion: """
            'serve' must not run. The old file stays beside it. Entries that the old file has after \
            the backup's end are kept where they extend the chain; where some would be lost, it \
            refuses.
            """)

    @Option(name: .customLong("from"), help: "The backup.")
    var backup: String

    @Option(help: "The journal's file.")
    var journal: String

    @Flag(help: "Restore also where entries after the backup's end are lost by it.")
    var acceptLoss = false

    func run() async throws {
        try await reporting {
            let result = try JournalRestore.restore(
                journal: journal, from: backup, digest: .openSSL, acceptLoss: acceptLoss)
            print(
                "\(journal): \(result.head.seq) entries: \(result.backupSeq) of the backup and "
                    + "\(result.salvaged) after it")
            if let kept = result.keptAs { print("the old file stands in \(kept)") }
        }
    }
}
