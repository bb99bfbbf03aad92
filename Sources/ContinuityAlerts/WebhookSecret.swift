import Foundation

/// A Standard Webhooks signing key. It never shows in a description, a log or a dump.
package struct WebhookSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let key: [UInt8]

    /// The specification asks for 24 to 64 bytes.
    static let keyBytes = 24...64
    private static let prefix = "whsec_"
    private static let maxFileBytes = 4096

    /// Reads the `whsec_<base64>` form; white space around it does not matter.
    ///
    /// - Throws: `WebhookSecretError`, whose message never holds a part of the secret.
    package init(parsing text: String) throws(WebhookSecretError) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard trimmed.hasPrefix(Self.prefix) else {
            throw WebhookSecretError(
                message: "the secret does not begin with 'whsec_'",
                remedy: "write it as whsec_ and the key in base64")
        }
        guard let data = Data(base64Encoded: String(trimmed.dropFirst(Self.prefix.count))) else {
            throw WebhookSecretError(
                message: "what follows 'whsec_' is not base64",
                remedy: "write the key in base64 with its padding, on one line")
        }
        guard Self.keyBytes.contains(data.count) else {
            throw WebhookSecretError(
                message: "the key has \(data.count) bytes",
                remedy: "make one of \(Self.keyBytes.lowerBound) to "
                    + "\(Self.keyBytes.upperBound) bytes, for example: "
                    + "echo whsec_$(openssl rand -base64 32)")
        }
        self.key = [UInt8](data)
    }

    /// Reads a secret from a file of its own. A file that every user of the machine can read or
    /// write is refused; one that its group reads is taken, as orchestrators mount secrets so.
    package static func load(file: String) throws(WebhookSecretError) -> WebhookSecret {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw WebhookSecretError(
                message: "\(file) cannot be opened: \(String(cString: strerror(errno)))",
                remedy: "check the path and its permissions")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw WebhookSecretError(
                message: "\(file) is not a regular file", remedy: "name the file with the secret")
        }
        guard status.st_mode & 0o007 == 0 else {
            throw WebhookSecretError(
                message: "\(file) is open to every user of this machine",
                remedy: "run: chmod 600 \(file)")
        }
        var bytes = [UInt8](repeating: 0, count: maxFileBytes)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0, count < maxFileBytes else {
            throw WebhookSecretError(
                message: count < 0
                    ? "\(file) cannot be read: \(String(cString: strerror(errno)))"
                    : "\(file) is longer than any secret",
                remedy: "it holds one line, whsec_ and the key in base64")
        }
        do {
            return try WebhookSecret(parsing: String(decoding: bytes[..<count], as: UTF8.self))
        } catch {
            throw WebhookSecretError(message: "\(file): \(error.message)", remedy: error.remedy)
        }
    }

    package var description: String { "whsec_(hidden)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why a secret cannot be used, and what to do.
package struct WebhookSecretError: Error, Equatable, CustomStringConvertible {
    package let message: String
    package let remedy: String

    package var description: String { "\(message); \(remedy)" }
}
