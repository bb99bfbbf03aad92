package import ContinuityConfig
import ContinuityCore
import Foundation

/// The secrets that hooks may use without ever holding them: read once, from files of their own.
package struct SecretStore: Sendable, CustomStringConvertible, CustomReflectable {
    struct Secret: Sendable {
        let value: String
        /// `host` or `host:port`, lower case. Of an HTTP host, or of a name server.
        let boundTo: String
    }

    static let bytesMax = 16 << 10

    private let secrets: [String: Secret]

    package init() { secrets = [:] }

    /// Reads the section `secrets`: `name: {file: …, bound_to: host}`. A value never appears in an
    /// error.
    package init(reading reader: ConfigReader?, folder: String) throws(ConfigError) {
        var secrets: [String: Secret] = [:]
        for name in reader?.keys ?? [] {
            guard let section = try reader?.optionalMapping(name) else { continue }
            let given = try section.string("file")
            let file = given.hasPrefix("/") ? given : folder + "/" + given
            secrets[name] = Secret(
                value: try Self.read(file, section),
                boundTo: try section.string("bound_to").lowercased())
            try section.finish()
        }
        self.secrets = secrets
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

    /// - Parameter destination: `host:port`.
    func value(_ name: String, for destination: String) throws(CallFailure) -> String {
        guard let secret = secrets[name] else {
            throw CallFailure("the secret '\(name)' is not configured", code: "unavailable")
        }
        let host = destination.prefix { $0 != ":" }
        guard secret.boundTo == destination || secret.boundTo == host else {
            throw CallFailure(
                "the secret '\(name)' is bound to \(secret.boundTo), not to \(destination)",
                code: "denied")
        }
        return secret.value
    }

    /// Takes every known secret out of a text, also where it stands encoded. Not only those of the
    /// request: a host may have learned one on another way.
    func scrub(_ text: String) -> String {
        var clean = text
        for (name, secret) in secrets.sorted(by: { $0.value.value.count > $1.value.value.count }) {
            for form in Self.forms(secret.value) where clean.contains(form) {
                clean = clean.replacing(form, with: "[secret \(name)]")
            }
        }
        return clean
    }

    /// The value as it stands, in JSON, percent-encoded, in hexadecimal, and in Base64 at each of
    /// the three places within a longer text.
    private static func forms(_ value: String) -> [String] {
        let bytes = Array(value.utf8)
        let hex = bytes.map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        var forms = [value, hex, hex.uppercased()]
        let json = CanonicalJSON.bytes(.string(value))
        forms.append(String(decoding: json.dropFirst().dropLast(), as: UTF8.self))
        let unreserved = CharacterSet(
            charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
        if let encoded = value.addingPercentEncoding(withAllowedCharacters: unreserved) {
            forms.append(encoded)
        }
        for offset in 0..<3 {
            let padded = Data([UInt8](repeating: 0, count: offset) + bytes).base64EncodedString()
            // Without the characters at either end that depend on the neighbours.
            let head = offset == 0 ? 0 : offset == 1 ? 2 : 3
            let tail = (offset + bytes.count) % 3 == 0 ? 0 : (offset + bytes.count) % 3 == 1 ? 3 : 2
            let core = String(padded.dropFirst(head).dropLast(tail))
            guard core.count >= 4 else { continue }
            forms.append(core)
            forms.append(core.replacing("+", with: "-").replacing("/", with: "_"))
        }
        return forms
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
