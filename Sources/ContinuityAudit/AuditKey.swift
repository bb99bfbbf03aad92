package import ContinuityConfig
package import ContinuityCore
package import ContinuityCrypto
import Foundation
import Glibc

/// The key that signs checkpoints and packs: a file that only its owner reads, and beside it the
/// public half (`FILE.pub`) for everybody.
package struct AuditKey: Sendable {
    package let key: Ed25519.PrivateKey

    package init(key: Ed25519.PrivateKey) { self.key = key }

    package func checkpoint(of head: JournalHead) -> Checkpoint {
        Checkpoint(
            seq: head.seq, hash: head.hash, keyID: key.publicKey.id,
            signature: hexString(key.sign(Checkpoint.message(head))))
    }

    /// Signs for a redaction.
    package func sign(_ order: inout EntryRedacted, by actor: String) {
        order.keyID = key.publicKey.id
        order.signature = hexString(key.sign(order.message(by: actor)))
    }

    // MARK: Files

    package static func publicFile(of file: String) -> String { file + ".pub" }

    /// Makes a key where there is none, with mode 0600. An existing one is left as it is.
    ///
    /// - Returns: the key, and whether it is new.
    /// - Throws: ``ConfigError`` when a file cannot be written, or the existing one is no key.
    package static func create(file: String) throws(ConfigError) -> (key: AuditKey, isNew: Bool) {
        let key = AuditKey(key: Ed25519.PrivateKey())
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        let isNew = descriptor >= 0
        guard isNew || errno == EEXIST else { throw unwritable(file) }
        guard isNew else { return (try load(file: file), false) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data(key.key.pem.utf8))
            try handle.synchronize()
            try key.key.publicKey.pem.write(
                toFile: publicFile(of: file), atomically: true, encoding: .utf8)
        } catch {
            throw unwritable(file)
        }
        return (key, true)
    }

    /// - Throws: ``ConfigError`` when the file is absent, open to others, or holds no key.
    package static func load(file: String) throws(ConfigError) -> AuditKey {
        var status = stat()
        guard stat(file, &status) == 0,
            let text = try? String(contentsOfFile: file, encoding: .utf8)
        else {
            throw ConfigError(
                file: file, line: nil, message: "the audit key cannot be read",
                remedy: "make one: continuity audit key init --key \(file)")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw ConfigError(
                file: file, line: nil, message: "the audit key can be read by others",
                remedy: "chmod 600 \(file), and make a new one if somebody may have read it")
        }
        do {
            return AuditKey(key: try Ed25519.PrivateKey(pem: text))
        } catch {
            throw ConfigError(
                file: file, line: nil, message: "\(error)",
                remedy: "make one: continuity audit key init")
        }
    }

    /// - Throws: ``ConfigError`` when the file is absent or holds no public key.
    package static func loadPublic(file: String) throws(ConfigError) -> Ed25519.PublicKey {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw ConfigError(
                file: file, line: nil, message: "the public key cannot be read",
                remedy: "name the file with the audit key's public half (….pub)")
        }
        do {
            return try Ed25519.PublicKey(pem: text)
        } catch {
            throw ConfigError(
                file: file, line: nil, message: "\(error)",
                remedy: "name the file with the audit key's public half (….pub)")
        }
    }

    private static func unwritable(_ file: String) -> ConfigError {
        ConfigError(
            file: file, line: nil,
            message: "cannot be written: \(String(cString: strerror(errno)))",
            remedy: "name a file in a folder that may be written to")
    }
}
