import ArgumentParser
import ContinuityAudit
import ContinuityCommandLine
import ContinuityCrypto
import Foundation

struct AuditKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "The key that signs checkpoints and packs.",
        subcommands: [Init.self, Show.self])

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an Ed25519 key (mode 0600), its public half beside it (….pub).",
            discussion: "An existing key is left as it is. Prints the public key.")

        @Option(help: "The private key's file; 'audit.key_file' in serve.yaml names it.")
        var key: String

        func run() async throws {
            try await reporting {
                let (made, isNew) = try AuditKey.create(file: key)
                printError(
                    isNew
                        ? "\(key) is made; give \(AuditKey.publicFile(of: key)) to auditors and agents"
                        : "\(key) is there already")
                print(made.key.publicKey.pem, terminator: "")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the public half of a key, and its id.")

        @Option(help: "The private key's file.")
        var key: String

        func run() async throws {
            try await reporting {
                let publicKey = try AuditKey.load(file: key).key.publicKey
                printError("key id \(publicKey.id)")
                print(publicKey.pem, terminator: "")
            }
        }
    }
}
