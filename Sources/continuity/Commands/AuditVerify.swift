import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import ContinuityServer
import ContinuityStore
import Foundation

struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the whole hash chain of a journal, or an audit pack, offline.",
        discussion: """
            With --public-key also that the checkpoints are signed with that key; with --witness \
            that the journal is the one which agents witnessed. Exits with 65 and names the first \
            entry that does not fit; with 4 when the chain holds and yet something needs a \
            person's eyes: an end that should have been signed, a redaction that no key signed, a \
            witness that raised an alarm.
            """)

    @Argument(help: "An audit pack's folder. Instead of --journal; needs --public-key.")
    var pack: String?

    @Option(help: "The journal's file.")
    var journal: String?

    @Option(help: "The audit key's public half. May be repeated, for a key that was changed.")
    var publicKey: [String] = []

    @Option(help: "An agent's witness file, or a folder of them. May be repeated.")
    var witness: [String] = []

    @Option(help: "The server's audit.checkpoint_entries: a longer unsigned end is a finding.")
    var checkpointEntries: Int64 = 100

    @Option(help: "The server's audit.checkpoint_s: an older unsigned end is a finding.")
    var checkpointS: Int64 = 10

    @Flag(help: "Fold the entries too, as 'serve' does when it starts. Slower.")
    var fold = false

    @Flag(help: "Print JSON.")
    var json = false

    private struct Verdict: Encodable {
        var ok = true
        var entries: Int64
        var head: String
        var checkpoints: Int
        var signedSeq: Int64
        var witnessedSeq: Int64
        /// Entries of which something is withheld, provably.
        var redacted: [Int64]
        /// Entries that an earlier version redacted: the key's holder stands for what is there.
        var attested: [Int64]
        var findings: [AuditFinding]

        enum CodingKeys: String, CodingKey {
            case ok, entries, head, checkpoints, redacted, attested, findings
            case signedSeq = "signed_seq"
            case witnessedSeq = "witnessed_seq"
        }
    }

    func validate() throws {
        guard (pack == nil) != (journal == nil) else {
            throw ValidationError("Name either a pack's folder or a --journal.")
        }
        guard pack == nil || !publicKey.isEmpty else {
            throw ValidationError("A pack is checked with its --public-key.")
        }
        guard pack == nil || (witness.isEmpty && !fold) else {
            throw ValidationError("--witness and --fold are for a --journal.")
        }
        guard checkpointEntries > 0, (1...86_400).contains(checkpointS) else {
            throw ValidationError(
                "--checkpoint-entries is 1 or more, --checkpoint-s is 1 to 86400.")
        }
    }

    func run() async throws {
        try await reporting {
            if let pack { return try check(pack: pack) }
            guard let journal else { return }
            let verdict = try check(journal)
            if json {
                try printJSON(verdict)
            } else {
                show(verdict, journal)
            }
            for finding in verdict.findings {
                printError("continuity: \(journal): \(finding.message)")
            }
            if !verdict.ok { throw Exit.finding }
        }
    }

    private func show(_ verdict: Verdict, _ journal: String) {
        print(
            "\(SafeText.line(journal)): \(verdict.entries) entries, the chain holds; head "
                + verdict.head)
        if publicKey.isEmpty {
            print("no --public-key: it was not checked who signed it")
        } else {
            print(
                "signed up to entry \(verdict.signedSeq) (\(verdict.checkpoints) checkpoints); "
                    + "\(verdict.entries - verdict.signedSeq) after it are not")
        }
        if witness.isEmpty {
            print("no --witness: a rewrite by the key's holder, or a cut, would not show")
        } else {
            print("witnessed up to entry \(verdict.witnessedSeq)")
        }
        for seq in verdict.redacted {
            print("entry \(seq): values are withheld, and the rest of it is proven")
        }
        for seq in verdict.attested {
            print(
                "entry \(seq): redacted by an earlier version; only the key's holder stands "
                    + "for what is there now")
        }
    }

    private func check(pack: String) throws {
        let keys = try publicKey.map { try AuditKey.loadPublic(file: $0) }
        do {
            let verdict = try AuditPack.verify(folder: pack, keys: keys, digest: .openSSL)
            if json {
                try printJSON(verdict)
            } else {
                print(
                    "\(SafeText.line(pack)): the pack of \(SafeText.line("\(verdict.runID)")) is whole and signed"
                )
                print(
                    "\(verdict.entries) entries in one chain, "
                        + (verdict.signedSeq.map { "signed up to entry \($0)" } ?? "no checkpoint")
                        + "; \(verdict.claims - verdict.broken.count) of \(verdict.claims) claims "
                        + "hold; \(verdict.redacted) entries redacted")
                for claim in verdict.broken { print("does not hold: " + SafeText.line("\(claim)")) }
            }
            if !verdict.broken.isEmpty { throw Exit.unmet }
        } catch let code as ExitCode {
            throw code
        } catch let error as ConfigError {
            throw error
        } catch {
            throw failure("\(pack): \(error)", Exit.badFile)
        }
    }

    private func check(_ journal: String) throws -> Verdict {
        let keys = try publicKey.map { try AuditKey.loadPublic(file: $0) }
        let records = try WitnessFiles.load(witness, keys: keys)
        var inspector = JournalInspector(keys: keys, witnesses: records)
        var state = OrchestratorState()
        let store = try JournalStore.read(path: journal)
        let report = try store.verify(
            digest: .openSSL,
            inspect: { view throws(JournalFault) in
                try inspector.inspect(view)
                if fold { try state.replay(view.entry) }
            })
        do throws(JournalFault) {
            try inspector.finish(report.head)
        } catch {
            throw failure("\(journal): the journal is damaged at \(error)", Exit.badFile)
        }
        let findings = findings(report, inspector, keys, records)
        return Verdict(
            ok: findings.isEmpty, entries: report.head.seq, head: report.head.hash,
            checkpoints: inspector.checkpoints, signedSeq: inspector.signedSeq,
            witnessedSeq: inspector.witnessedSeq,
            redacted: report.redacted.filter(\.isProven).map(\.seq),
            attested: report.redacted.filter { !$0.isProven }.map(\.seq), findings: findings)
    }

    private func findings(
        _ report: ChainReport, _ inspector: JournalInspector, _ keys: [Ed25519.PublicKey],
        _ records: [WitnessRecord]
    ) -> [AuditFinding] {
        let judge = RedactionJudge(keys: keys, signedSeq: inspector.signedSeq)
        let tail = inspector.overdueTail(
            report.head, entries: checkpointEntries, intervalMs: checkpointS * 1000,
            nowMs: Int64(Date().timeIntervalSince1970 * 1000))
        let alarms = records.compactMap { record in
            record.alarm.map {
                AuditFinding(
                    code: .witnessAlarm, seq: record.checkpoint.seq,
                    message: "\(record.nodeID) raised an alarm at \(timestamp(record.atMs)): \($0)")
            }
        }
        return report.redacted.compactMap(judge.finding) + (tail.map { [$0] } ?? []) + alarms
    }
}

enum WitnessFiles {
    /// The records of files, and of the files in folders whose names end as witness files' do.
    ///
    /// - Parameter keys: Where there are any, every record must be signed by one of them.
    /// - Throws: an exit code, after one line, for a file that proves nothing.
    static func load(
        _ paths: [String], keys: [Ed25519.PublicKey] = []
    ) throws -> [WitnessRecord] {
        var records: [WitnessRecord] = []
        for path in paths {
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw failure("\(path): there is no such witness file or folder", Exit.badFile)
            }
            var files = [path]
            if isFolder.boolValue {
                let names = (FileManager.default.enumerator(atPath: path)?.allObjects ?? [])
                    .compactMap { $0 as? String }
                files = names.filter { $0.hasSuffix(WitnessFile.suffix) }.sorted()
                    .map { path + "/" + $0 }
                guard !files.isEmpty else {
                    throw failure(
                        "\(path): no file in it ends with \(WitnessFile.suffix); copy the agents' "
                            + "witness files there", Exit.badFile)
                }
            }
            for file in files { records += try load(file: file, keys: keys) }
        }
        return records
    }

    private static func load(
        file: String, keys: [Ed25519.PublicKey]
    ) throws -> [WitnessRecord] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw failure("\(file): cannot be read", Exit.badFile)
        }
        let records: [WitnessRecord]
        do throws(JournalFault) {
            records = try WitnessFile.records(text)
        } catch {
            throw failure("\(file):\(error.seq): \(error.reason)", Exit.badFile)
        }
        guard !records.isEmpty else {
            throw failure(
                "\(file): holds no checkpoint, so it witnesses nothing; collect the agent's file "
                    + "again, and ask why it was empty", Exit.badFile)
        }
        // What stands beside an alarm is evidence of another's lie: it may be signed by anybody.
        for (index, record) in records.enumerated() where !keys.isEmpty && record.alarm == nil {
            let checkpoint = record.checkpoint
            let isSigned = keys.contains {
                $0.id == checkpoint.keyID
                    && $0.isValid(hexBytes(checkpoint.signature) ?? [], over: checkpoint.message)
            }
            guard isSigned else {
                throw failure(
                    "\(file):\(index + 1): the checkpoint of entry \(checkpoint.seq) is not signed "
                        + "by a given key", Exit.badFile)
            }
        }
        return records
    }
}
