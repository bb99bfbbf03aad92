import ContinuityCrypto
import ContinuityPostgres
import Foundation

/// The one folder that everything of the demo stands in.
struct DemoFolder: Sendable {
    let path: String

    /// Creates it under `TMPDIR`, or `/tmp`. Others may pass through (PostgreSQL's user must) but
    /// not look in.
    static func create() throws -> DemoFolder {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/continuity-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DemoFailure(
                "cannot create a folder under \(parent): \(String(cString: strerror(errno)))")
        }
        let created = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The agents compare the working directories of processes, which hold no symbolic links.
        guard let real = realpath(created, nil) else {
            throw DemoFailure("cannot resolve \(created)")
        }
        defer { free(real) }
        let folder = DemoFolder(path: String(cString: real))
        guard chmod(folder.path, 0o711) == 0 else {
            throw DemoFailure("cannot open \(folder.path) to PostgreSQL's user")
        }
        for name in ["logs", "postgres"] {
            guard mkdir("\(folder.path)/\(name)", 0o711) == 0 else {
                throw DemoFailure("cannot create \(folder.path)/\(name)")
            }
        }
        return folder
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }
    func log(_ name: String) -> String { "\(path)/logs/\(name).log" }
    var postgres: String { "\(path)/postgres" }

    func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw DemoFailure(
                "cannot create \(file(name)): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        try FileHandle(fileDescriptor: descriptor).write(contentsOf: Data(text.utf8))
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// The secrets of one demo, drawn anew each time.
struct DemoSecrets: Sendable {
    let webhook = "whsec_" + Data(randomBytes(32)).base64EncodedString()
    let postgresPassword = hexString(randomBytes(16))
}
