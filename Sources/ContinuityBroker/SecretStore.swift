package import ContinuityConfig
import ContinuityCore
import Dispatch
import Foundation

/// The secrets that hooks may use without ever holding them: read once, from files of their own.
package struct SecretStore: Sendable, CustomStringConvertible, CustomReflectable {
    struct Secret: Sendable {
        let value: String
        /// Lower case. Of an HTTP host, or of a name server.
        let host: String
        /// `nil`: every port of the host.
        let port: Int?

        var boundTo: String { port.map { "\(Endpoint(host: host, port: $0))" } ?? host }
    }

    static let bytesMax = 16 << 10
    private static let shortBytesMax = 4 << 10

    private let secrets: [String: Secret]
    private let matcher: SecretMatcher

    package init() {
        secrets = [:]
        matcher = SecretMatcher([:])
    }

    /// Reads the section `secrets`: `name: {file: …, bound_to: host}`. A value never appears in an
    /// error.
    package init(reading reader: ConfigReader?, folder: String) throws(ConfigError) {
        var secrets: [String: Secret] = [:]
        for name in reader?.keys ?? [] {
            guard let section = try reader?.optionalMapping(name) else { continue }
            let given = try section.string("file")
            let file = given.hasPrefix("/") ? given : folder + "/" + given
            let (host, port) = try Self.destination(section)
            secrets[name] = Secret(value: try Self.read(file, section), host: host, port: port)
            try section.finish()
        }
        self.secrets = secrets
        matcher = SecretMatcher(secrets.mapValues(\.value))
    }

    /// `bound_to`: a host, or `host:port`.
    private static func destination(
        _ section: ConfigReader
    ) throws(ConfigError) -> (host: String, port: Int?) {
        let text = try section.string("bound_to").lowercased()
        if Endpoint.isHost(text) { return (text, nil) }
        if text.hasPrefix("["), text.hasSuffix("]"),
            Endpoint.isIPv6(String(text.dropFirst().dropLast()))
        {
            return (String(text.dropFirst().dropLast()), nil)
        }
        let endpoint = try section.endpoint("bound_to")
        return (endpoint.host.lowercased(), endpoint.port)
    }

    private static func read(_ file: String, _ section: ConfigReader) throws(ConfigError) -> String
    {
        func error(_ message: String, _ remedy: String) -> ConfigError {
            section.error("the secret's file \(file) \(message)", remedy: remedy, at: "file")
        }
        guard let data = FileManager.default.contents(atPath: file), data.count <= bytesMax,
            let text = String(validating: data, as: UTF8.self)
        else {
            throw error("cannot be read as text of up to \(bytesMax) bytes", "check the path")
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o007 == 0 else {
            throw error("can be read by everyone", "chmod 600 \(file)")
        }
        let value = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard value.utf8.count >= 4, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw error(
                "holds no secret", "write one line of at least 4 characters into it")
        }
        return value
    }

    package var names: Set<String> { Set(secrets.keys) }

    /// Where a secret may go, as text; `nil`: there is no such secret.
    package func boundTo(_ name: String) -> String? { secrets[name]?.boundTo }

    /// Whether a request to a host of this pattern may carry the secret.
    func mayGo(_ name: String, to pattern: String) -> Bool {
        guard let secret = secrets[name],
            let (isWildcard, endpoint) = HTTPRule.destination(pattern)
        else { return false }
        let host = endpoint.host.lowercased()
        let fits = isWildcard ? secret.host.hasSuffix("." + host) : secret.host == host
        return fits && (secret.port == nil || secret.port == endpoint.port)
    }

    /// - Parameter destination: `host:port`.
    func value(_ name: String, for destination: String) throws(CallFailure) -> String {
        guard let secret = secrets[name] else {
            throw CallFailure("the secret '\(name)' is not configured", code: "unavailable")
        }
        guard let wanted = Endpoint(destination), secret.host == wanted.host.lowercased(),
            secret.port == nil || secret.port == wanted.port
        else {
            throw CallFailure(
                "the secret '\(name)' is bound to \(secret.boundTo), not to \(destination)",
                code: "denied")
        }
        return secret.value
    }

    /// The name of a secret that stands in `text` in any spelling, or enough of it. Not only of those
    /// that the request used: a host may have learned one on another way.
    func secret(in text: [UInt8]) -> String? { matcher.secret(in: text) }

    /// The same, for what may take long (a few milliseconds, or 0.3 s where somebody tries): on a
    /// thread that may be kept.
    func secretInLong(_ text: [UInt8]) async -> String? {
        guard text.count > Self.shortBytesMax else { return secret(in: text) }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: secret(in: text)) }
        }
    }

    /// A message for the script and the journal, or, where it holds a secret, what to say instead.
    func safe(_ message: String) -> String {
        guard let name = secret(in: Array(message.utf8)) else { return message }
        return "the message is withheld: it held the secret '\(name)'"
    }

    // A secret must not come out by printing what holds it.
    package var description: String { "SecretStore(\(names.sorted().joined(separator: ", ")))" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Why a call did not succeed, as the script hears it.
package struct CallFailure: Error, Hashable, Sendable {
    package let message: String
    package let code: String

    package init(_ message: String, code: String) {
        self.message = message
        self.code = code
    }
}
