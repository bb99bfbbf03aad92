import ContinuityCore
import Foundation

/// The servers that a person works with, each with how they say who they are:
/// `~/.config/continuity/config.yaml`, as kubectl's contexts.
package struct ContextFile: Sendable {
    package struct Context: Hashable, Sendable {
        package var name: String
        /// The base URL of `continuity serve`.
        package var server: String
        package var tokenFile: String?
        package var certificate: String?
        package var key: String?
        package var ca: String?

        package init(
            name: String, server: String, tokenFile: String? = nil, certificate: String? = nil,
            key: String? = nil, ca: String? = nil
        ) {
            self.name = name
            self.server = server
            self.tokenFile = tokenFile
            self.certificate = certificate
            self.key = key
            self.ca = ca
        }
    }

    package static let contextsMax = 1000

    package let path: String
    package var current: String?
    package var contexts: [Context]

    /// `$CONTINUITY_CONFIG`, else `$XDG_CONFIG_HOME/continuity/config.yaml`, else below `~/.config`.
    package static func defaultPath(environment: [String: String]) -> String {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        if let path = value("CONTINUITY_CONFIG") { return path }
        let folder = value("XDG_CONFIG_HOME") ?? "\(value("HOME") ?? ".")/.config"
        return "\(folder)/continuity/config.yaml"
    }

    /// - Returns: An empty list where there is no file yet.
    /// - Throws: ``ConfigError`` with file and line.
    package static func load(path: String) throws(ConfigError) -> ContextFile {
        guard FileManager.default.fileExists(atPath: path) else {
            return ContextFile(path: path, current: nil, contexts: [])
        }
        let reader = try ConfigReader.load(file: path)
        var file = ContextFile(path: path, current: nil, contexts: [])
        file.current = try reader.optionalString("current")
        for entry in try reader.list("contexts") {
            let context = Context(
                name: try entry.string("name"), server: try entry.string("server"),
                tokenFile: try entry.optionalString("token_file"),
                certificate: try entry.optionalString("certificate"),
                key: try entry.optionalString("key"), ca: try entry.optionalString("ca"))
            try entry.finish()
            if let wrong = Self.fault(in: context) {
                throw entry.error(wrong.message, remedy: wrong.remedy, at: wrong.key)
            }
            guard file[context.name] == nil else {
                throw entry.error(
                    "two contexts have the name '\(context.name)'", remedy: "rename one",
                    at: "name")
            }
            guard file.contexts.count < contextsMax else {
                throw entry.error(
                    "there are more than \(contextsMax) contexts", remedy: "remove some")
            }
            file.contexts.append(context)
        }
        try reader.finish()
        if let current = file.current, file[current] == nil {
            throw reader.error(
                "there is no context '\(current)'",
                remedy: "'continuity context use NAME' with one of: "
                    + file.contexts.map(\.name).joined(separator: ", "), at: "current")
        }
        return file
    }

    package subscript(name: String) -> Context? { contexts.first { $0.name == name } }

    /// What is wrong with a context; `nil`: nothing.
    package static func fault(
        in context: Context
    ) -> (key: String, message: String, remedy: String)? {
        let letters = context.name.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0))
        }
        guard (1...64).contains(context.name.count), letters else {
            return (
                "name", "'\(SafeText.line(context.name))' is no name for a context",
                "use 1 to 64 letters, digits, '-', '_' and '.'"
            )
        }
        guard (try? BaseURL(parsing: context.server)) != nil else {
            return (
                "server", "'\(SafeText.line(context.server))' is no base URL",
                "write it as https://serve.example:7100"
            )
        }
        guard context.certificate == nil || context.ca != nil else {
            return ("ca", "a certificate needs 'ca' too", "name the authority's file")
        }
        return nil
    }

    /// Adds a context, or replaces the one of the same name. The first one becomes the current one.
    package mutating func add(_ context: Context) {
        contexts.removeAll { $0.name == context.name }
        contexts.append(context)
        contexts.sort { $0.name < $1.name }
        current = current ?? context.name
    }

    /// Writes a new file over the old one: whoever reads meanwhile sees one of the two whole.
    package func save() throws {
        func quoted(_ text: String) -> String {
            String(decoding: CanonicalJSON.bytes(JSONValue.string(text)), as: UTF8.self)
        }
        var lines = ["# Servers of continuity; see 'continuity context --help'."]
        if let current { lines.append("current: \(quoted(current))") }
        lines.append(contexts.isEmpty ? "contexts: []" : "contexts:")
        for context in contexts {
            let members = [
                ("server", context.server), ("token_file", context.tokenFile),
                ("certificate", context.certificate), ("key", context.key), ("ca", context.ca),
            ]
            lines.append("  - name: \(quoted(context.name))")
            lines += members.compactMap { key, value in
                value.map { "    \(key): \(quoted($0))" }
            }
        }
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: url, options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }
}
