import ArgumentParser
import ContinuityAudit
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
            entry that does not fit.
            """)

    @Argument(help: "An audit pack's folder. Instead of --journal; needs --public-key.")
    var pack: String?

    @Option(help: "The journal's file.")
    var journal: String?

    @Option(help: "The audit key's public half. May be repeated, for a key that was changed.")
    var publicKey: [String] = []

    @Option(help: "An agent's witness file, or a folder of them. May be repeated.")
    var witness: [String] = []

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

        enum CodingKeys: String, CodingKey {
            case ok, entries, head, checkpoints
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
    }

    func run() async throws {
        try await reporting {
            if let pack { return try check(pack: pack) }
            guard let journal else { return }
            let verdict = try check(journal)
            if json { return try printJSON(verdict) }
            print(
                "\(SafeText.line(journal)): \(verdict.entries) entries, the chain holds; head \(verdict.head)"
            )
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
        var inspector = JournalInspector(keys: keys, witnesses: try WitnessFiles.load(witness))
        var state = OrchestratorState()
        let store = try JournalStore.read(path: journal)
        let head = try store.verify(
            digest: .openSSL,
            inspect: { view throws(JournalFault) in
                try inspector.inspect(view)
                if fold { try state.replay(view.entry) }
            })
        do throws(JournalFault) {
            try inspector.finish(head)
        } catch {
            throw failure("\(journal): the journal is damaged at \(error)", Exit.badFile)
        }
        return Verdict(
            entries: head.seq, head: head.hash, checkpoints: inspector.checkpoints,
            signedSeq: inspector.signedSeq, witnessedSeq: inspector.witnessedSeq)
    }
}

enum WitnessFiles {
    /// The records of files, and of the files in folders whose names end as witness files' do.
    ///
    /// - Throws: an exit code, after one line; also where an agent's own alarm stands in a file.
    static func load(_ paths: [String]) throws -> [WitnessRecord] {
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
            for file in files { records += try load(file: file) }
        }
        return records
    }

    private static func load(file: String) throws -> [WitnessRecord] {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw failure("\(file): cannot be read", Exit.badFile)
        }
        let records: [WitnessRecord]
        do throws(JournalFault) {
            records = try WitnessFile.records(text)
        } catch {
            throw failure("\(file):\(error.seq): \(error.reason)", Exit.badFile)
        }
        for record in records {
            guard let alarm = record.alarm else { continue }
            printError(
                "continuity: \(file): \(record.nodeID) raised an alarm at "
                    + "\(timestamp(record.atMs)): \(alarm)")
        }
        return records
    }
}
