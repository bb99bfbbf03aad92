import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityCore
import ContinuityCrypto
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditSign: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign a journal's end with the audit key, while 'serve' does not run.",
        discussion: """
            After a crash, or for a journal that an earlier version redacted: what it redacted is \
            proven by nothing but this signature, so such entries are named and --accept-unproven \
            is asked for.
            """)

    @Option(help: "The journal's file.")
    var journal: String

    @Option(help: "The audit key (private).")
    var key: String

    @Flag(help: "Stand for entries that an earlier version redacted.")
    var acceptUnproven = false

    func run() async throws {
        try await reporting {
            let key = try AuditKey.load(file: self.key)
            let store = try JournalStore.open(path: journal)
            let report = try store.verify(digest: .openSSL, inspect: { _ in })
            let judge = RedactionJudge(keys: [key.key.publicKey], signedSeq: 0)
            let unproven = report.redacted.compactMap(judge.finding)
                .filter { $0.code == .unprovenRedaction }
            for finding in unproven { printError("continuity: \(journal): \(finding.message)") }
            guard unproven.isEmpty || acceptUnproven else {
                throw failure(
                    "\(journal): not signed; give --accept-unproven to stand for these entries",
                    Exit.finding)
            }
            let seq = try key.signEnd(of: store)
            try store.close()
            print("\(journal): signed up to entry \(seq)")
        }
    }
}

extension AuditKey {
    /// Signs the last entry of a journal that is not in use.
    ///
    /// - Returns: the number of the entry that is signed.
    @discardableResult
    func signEnd(of store: JournalStore) throws -> Int64 {
        var epoch: Int64 = 0
        let head = try store.verify(
            digest: .openSSL,
            inspect: { view throws(JournalFault) in epoch = view.epoch }
        ).head
        let body = JournalBody.checkpointSigned(checkpoint(of: head))
        try store.append([
            JournalEntry(
                after: head, epoch: epoch, atMs: Int64(Date().timeIntervalSince1970 * 1000),
                actor: "continuity", clusterID: nil, kind: body.kind, body: body.bytes(),
                digest: .openSSL)
        ])
        return head.seq
    }
}
