import ContinuityCore
import ContinuityCrypto
import Foundation
import Testing

/// The journal of a real `serve`, with checkpoints, and what a witness keeps of it.
struct AuditFixture {
    let serve: ServeFixture

    var folder: String { serve.folder.path }
    var key: String { folder + "/audit.key" }
    var journal: String { serve.journalFile }
    var witness: String { folder + "/node-1.witness" }

    /// - Parameter audit: Further settings of `audit`.
    init(audit: String = "checkpoint_entries: 5, checkpoint_s: 600") async throws {
        serve = try ServeFixture(policy: "policy_id: p\nstrategy: manual\n")
        let made = try await Programs.run("audit", "key", "init", "--key", folder + "/audit.key")
        #expect(made.exitCode == 0, "\(made.errors)")
        let text = try String(contentsOfFile: serve.configFile, encoding: .utf8)
        try serve.folder.write(
            text + "audit: {key_file: audit.key, \(audit)}\n", to: "serve.yaml")
    }

    /// Lets the server decide something `rounds` times.
    func decide(_ rounds: Int) async throws {
        for _ in 0..<rounds {
            try await serve.report(primary: .running)
            try await serve.report(primary: .stopped)
        }
    }

    /// Ends the server in order and gives the entries; the journal is one file then.
    func finish() throws -> [JournalEntry] {
        #expect(serve.terminate() == 0, "\(serve.log)")
        return try JournalTampering.entries(journal)
    }

    /// What an agent would keep that saw these checkpoints.
    func writeWitness(_ checkpoints: [Checkpoint]) throws {
        var text = ""
        for checkpoint in checkpoints {
            let record = WitnessRecord(nodeID: "node-1", atMs: 1, checkpoint: checkpoint)
            text +=
                String(decoding: try CanonicalJSON.bytes(encoding: record), as: UTF8.self) + "\n"
        }
        try text.write(toFile: witness, atomically: true, encoding: .utf8)
    }

    func checkpoints(_ entries: [JournalEntry]) throws -> [Checkpoint] {
        try entries.compactMap {
            if case .checkpointSigned(let body) = try JournalBody(of: $0) { body } else { nil }
        }
    }

    func verify(_ file: String, witness: Bool = false) async throws -> Programs.Result {
        try await Programs.run(
            ["audit", "verify", "--journal", file, "--public-key", key + ".pub"]
                + (witness ? ["--witness", self.witness] : []))
    }

    func privateKey() throws -> Ed25519.PrivateKey {
        try Ed25519.PrivateKey(pem: String(contentsOfFile: key, encoding: .utf8))
    }
}
