import ArgumentParser
import ContinuityCommandLine
import ContinuityConfig
import Foundation

struct ContextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "The servers that you work with, and which of them is asked.",
        discussion: """
            They stand in ~/.config/continuity/config.yaml ($CONTINUITY_CONFIG names another file). \
            The environment goes before the context, and options go before both. A server that is \
            named by an option or the environment gets no credentials of a context.

            Example: continuity context add prod --server https://serve.example:7100 --ca ca.pem \
            --certificate ana.pem
            """,
        subcommands: [
            ContextListCommand.self, ContextUseCommand.self, ContextAddCommand.self,
            ContextRemoveCommand.self,
        ])

    static func load() throws -> ContextFile {
        try ContextFile.load(
            path: ContextFile.defaultPath(environment: ProcessInfo.processInfo.environment))
    }

    static func noContext(_ name: String, _ file: ContextFile) -> ExitCode {
        let known = file.contexts.map(\.name).joined(separator: ", ")
        return failure(
            "there is no context '\(name)' in \(file.path); "
                + (known.isEmpty ? "add one with 'continuity context add'" : "there are: \(known)"),
            Exit.badFile)
    }
}

struct ContextListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the contexts; the current one is marked.",
        discussion: "Example: continuity context list")

    private struct Line: Encodable {
        let current: Bool
        let name: String
        let server: String
    }

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    func run() async throws {
        try await reporting {
            let file = try ContextCommand.load()
            let lines = file.contexts.map {
                Line(current: $0.name == file.current, name: $0.name, server: $0.server)
            }
            if json { return try lines.forEach { try printJSON($0) } }
            var table = Table("CURRENT", "NAME", "SERVER", "IDENTITY")
            for (line, context) in zip(lines, file.contexts) {
                table.add(
                    line.current ? "*" : "", line.name, line.server,
                    context.certificate ?? context.tokenFile ?? "-")
            }
            print(lines.isEmpty ? "there are no contexts in \(file.path)" : table.text)
        }
    }
}

struct ContextUseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use", abstract: "Make a context the current one.",
        discussion: "Example: continuity context use prod")

    @Argument(help: "The context's name.") var name: String

    func run() async throws {
        try await reporting {
            var file = try ContextCommand.load()
            guard let context = file[name] else { throw ContextCommand.noContext(name, file) }
            file.current = name
            try file.save()
            print("commands go to \(context.server) now")
        }
    }
}

struct ContextAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a context, or change the one of the same name.",
        discussion: """
            Files are kept by their full paths, never their contents. The first context becomes the \
            current one.

            Example: continuity context add prod --server https://serve.example:7100 --ca ca.pem \
            --token-file ana.token
            """)

    @Argument(help: "The context's name.") var name: String
    @Option(help: "Base URL of 'continuity serve'.") var server: String
    @Option(help: "File with a token.") var tokenFile: String?
    @Option(help: "File with a certificate and its key.") var certificate: String?
    @Option(help: "The key's file, where the certificate's does not hold it.") var key: String?
    @Option(help: "The authority that the server's certificate must be of.") var ca: String?

    func run() async throws {
        try await reporting {
            func full(_ path: String?) -> String? {
                path.map { URL(fileURLWithPath: $0).standardizedFileURL.path }
            }
            let context = ContextFile.Context(
                name: name, server: server, tokenFile: full(tokenFile),
                certificate: full(certificate), key: full(key), ca: full(ca))
            if let wrong = ContextFile.fault(in: context) {
                throw ValidationError("\(wrong.message); \(wrong.remedy).")
            }
            for path in [context.tokenFile, context.certificate, context.key, context.ca] {
                guard let path, !FileManager.default.isReadableFile(atPath: path) else { continue }
                throw failure("\(path) cannot be read; the context is not added", Exit.badFile)
            }
            var file = try ContextCommand.load()
            file.add(context)
            try file.save()
            print(
                "\(name) is \(context.server)"
                    + (file.current == name
                        ? ", and the current context"
                        : "; 'continuity context use \(name)' uses it"))
        }
    }
}

struct ContextRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Forget a context; its files stay.",
        discussion: "Example: continuity context remove prod")

    @Argument(help: "The context's name.") var name: String

    func run() async throws {
        try await reporting {
            var file = try ContextCommand.load()
            guard file[name] != nil else { throw ContextCommand.noContext(name, file) }
            file.contexts.removeAll { $0.name == name }
            if file.current == name { file.current = nil }
            try file.save()
            print("\(name) is forgotten")
        }
    }
}
