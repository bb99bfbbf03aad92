import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import Foundation

extension AccessRole: ExpressibleByArgument {}

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Tokens for people and their programs, kept in the journal as digests.",
        subcommands: [TokenCreate.self, TokenClaimCommand.self, TokenList.self, TokenRevoke.self])
}

struct TokenCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token and write it to a file, mode 0600.",
        discussion: "It is said this one time. Needs the role admin.")

    @Option(help: "What it is for; unique among its owner's.")
    var name: String

    @Option(help: "The person who answers for it; you, unless given.")
    var owner: String?

    @Option(help: "viewer, operator or admin.")
    var role = AccessRole.viewer

    @Option(help: "A cluster that it is bound to; may be repeated. None: all.")
    var cluster: [String] = []

    @Option(help: "For how many days.")
    var days = 90

    @Option(help: "The file to write; it must not be there yet.")
    var out: String

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (1...366).contains(days) else { throw ValidationError("--days is 1 to 366.") }
    }

    func run() async throws {
        try await reporting {
            guard !FileManager.default.fileExists(atPath: out) else {
                throw ConfigError(
                    file: out, line: nil, message: "is there already", remedy: "name another file")
            }
            var body: [String: JSONValue] = [
                "name": .string(name), "role": .string(role.rawValue),
                "clusters": .array(cluster.map { .string($0) }),
                "expires_in_s": .int(Int64(days) * 86_400),
            ]
            if let owner { body["owner"] = .string(owner) }
            let made = try await server.post(JSONValue.self, "tokens", .object(body))
            guard let secret = made["token"]?.string, let id = made["token_id"]?.string,
                let expires = made["expires_at_ms"]?.int
            else { throw failure("the server's answer is not understood", Exit.internalError) }
            try readingCertificates(out) {
                try KeyFile.write(Array((secret + "\n").utf8), to: out, replacing: false)
            }
            print("\(id) is in \(out), until \(timestamp(expires))")
        }
    }
}

struct TokenList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List tokens: whose, for what, until when.")

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let answer = try await server.get(JSONValue.self, "tokens")
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            var table = Table(
                "TOKEN", "NAME", "OWNER", "ROLE", "CLUSTERS", "STATE", "UNTIL",
                "KNOWN TO")
            for token in answer["tokens"]?.array ?? [] {
                if json { try printJSON(token) }
                let until = token["expires_at_ms"]?.int ?? 0
                let state =
                    token["revoked_at_ms"]?.int != nil
                    ? "revoked" : now >= until ? "expired" : "valid"
                let others = Self.others(token)
                let owner = token["owner"]?.string ?? ""
                let known =
                    (owner == Principal.anybody
                        ? "anybody"
                        : others.isEmpty
                            ? "\(owner) alone" : (others + [owner]).joined(separator: ","))
                    + (token["claimed_from"]?.string.map { ", claimed from \($0)" } ?? "")
                let clusters = token["clusters"]?.array?.compactMap(\.string) ?? []
                table.add(
                    token["token_id"]?.string ?? "", token["name"]?.string ?? "",
                    token["owner"]?.string ?? "", token["role"]?.string ?? "",
                    clusters.isEmpty ? "all" : clusters.joined(separator: ","), state,
                    timestamp(until), known)
            }
            if !json { print(table.text) }
        }
    }

    /// Who besides its owner could know a token.
    static func others(_ token: JSONValue) -> [String] {
        let known = token["known_by"]?.array ?? [token["created_by"] ?? ""]
        return known.compactMap(\.string).filter { $0 != token["owner"]?.string }
    }
}

struct TokenRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End a token at once.")

    @Argument(help: "Its id, from 'token list'.")
    var token: String

    @Option(help: "Why, for the journal.")
    var reason = ""

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let answer = try await server.post(
                JSONValue.self, "tokens/revoke",
                ["token_id": .string(token), "reason": .string(reason)])
            print("\(answer["token_id"]?.string ?? token) is revoked")
        }
    }
}

struct WhoAmI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Show who the server takes you for.")

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var server: ServerOptions

    func run() async throws {
        try await reporting {
            let answer = try await server.get(JSONValue.self, "whoami")
            if json { return try printJSON(answer) }
            let clusters = answer["clusters"]?.array?.compactMap(\.string) ?? []
            print(
                "\(answer["name"]?.string ?? "?"), role \(answer["role"]?.string ?? "?"), by "
                    + "\(answer["credential"]?.string ?? "?"), clusters "
                    + (clusters.isEmpty ? "all" : clusters.joined(separator: ", ")))
            if let limit = answer["approvals"]?.string { print("approvals: \(limit)") }
        }
    }
}
