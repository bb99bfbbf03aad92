import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import Foundation

struct TokenClaimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim",
        abstract: "Take a token that you alone know for the one that was made for you.",
        discussion: """
            Give the one that you were handed with --token-file or CONTINUITY_TOKEN_FILE. It ends at \
            once; its owner, role, clusters and end stay. When it is refused, somebody else has \
            claimed it: have it revoked ('continuity token list', 'continuity token revoke').
            """)

    @Option(help: "The file to write, mode 0600; it must not be there yet.")
    var out: String

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            guard !FileManager.default.fileExists(atPath: out) else {
                throw ConfigError(
                    file: out, line: nil, message: "is there already", remedy: "name another file")
            }
            // Before anything is asked for: what cannot be written down would be lost, and the old
            // one has ended by then. As long as the secret, so that a full disk is told now.
            let empty = [UInt8](repeating: UInt8(ascii: "#"), count: 54) + [UInt8(ascii: "\n")]
            try readingCertificates(out) { try KeyFile.write(empty, to: out, replacing: false) }
            let made: JSONValue
            do {
                made = try await server.post(JSONValue.self, "tokens/claim", .object([:]))
            } catch {
                try? FileManager.default.removeItem(atPath: out)
                throw error
            }
            guard let secret = made["token"]?.string, let id = made["token_id"]?.string,
                let owner = made["owner"]?.string, let old = made["claimed_from"]?.string,
                let expires = made["expires_at_ms"]?.int
            else { throw failure("the server's answer is not understood", Exit.internalError) }
            try readingCertificates(out) {
                try KeyFile.write(Array((secret + "\n").utf8), to: out, replacing: true)
            }
            print("\(id) is in \(out), until \(timestamp(expires)); \(old) has ended")
            let others = TokenList.others(made)
            if others.isEmpty {
                print("it is known to \(owner) alone")
            } else {
                print(
                    "\(owner) has another credential that is theirs alone, so approvals count this "
                        + "one as known to \(others.joined(separator: ", ")) still: if that other "
                        + "one is none of yours, have it revoked ('continuity token list')")
            }
        }
    }
}
