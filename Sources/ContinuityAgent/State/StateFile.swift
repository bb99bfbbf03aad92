import ContinuityCore
import ContinuityNode
import Dispatch
import Foundation
import Glibc
import Synchronization

/// The state file cannot be used. The message says what to do.
package struct StateFileError: Error, CustomStringConvertible {
    package let description: String
}

/// Keeps the ledger on disk: written to a new file, synced, renamed over the old one.
final class StateFile: Sendable {
    private static let limitBytes = 16 << 20

    private struct Format: Decodable {
        var format: Int64?
    }

    private let path: String
    /// Disk writes block, so they stay off the threads that run Swift's tasks.
    let queue = DispatchQueue(label: "continuity.agent.state-file")
    private let savedVersion = Mutex<UInt64>(0)
    private let lock: FileHandle

    /// Opens the file and locks it against a second agent.
    ///
    /// - Throws: `StateFileError` when another agent holds it or its folder cannot be written.
    init(path: String) throws {
        self.path = path
        let descriptor = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StateFileError(
                description: "\(path).lock cannot be created: \(String(cString: strerror(errno)));"
                    + " create its folder, writable for the agent's user")
        }
        lock = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw StateFileError(
                description: "\(path) is in use by another agent; stop that one, or give each "
                    + "agent its own state_file")
        }
    }

    /// Lets another agent have the file. The last thing that an agent does.
    func release() { _ = flock(lock.fileDescriptor, LOCK_UN) }

    /// The ledger on disk, or an empty one at the first start.
    func load() throws -> Ledger {
        guard FileManager.default.fileExists(atPath: path) else { return Ledger() }
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard data.count <= Self.limitBytes else {
                throw StateFileError(description: "\(data.count) bytes is too large")
            }
            let format = try JSONDecoder().decode(Format.self, from: data).format ?? 1
            guard ProductVersion.agentState.reads.contains(format) else {
                throw StateFileError(
                    description: "a newer agent wrote it in format \(format), this one "
                        + "(\(ProductVersion.number)) reads up to "
                        + "\(ProductVersion.agentState.reads.upperBound): start the newer one again"
                )
            }
            return try JSONDecoder().decode(Ledger.self, from: data)
        } catch {
            throw StateFileError(
                description: "\(path) cannot be read (\(error)); it holds the highest epoch this "
                    + "node obeyed, so do not delete it lightly: restore it, or remove it once "
                    + "no other node can be primary")
        }
    }

    /// Returns when the ledger is durable. A version older than one already saved is skipped.
    func save(_ ledger: Ledger, version: UInt64) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            queue.async {
                continuation.resume(with: Result { try self.write(ledger, version: version) })
            }
        }
    }

    func saveNow(_ ledger: Ledger, version: UInt64) throws {
        try queue.sync { try write(ledger, version: version) }
    }

    private func write(_ ledger: Ledger, version: UInt64) throws {
        guard savedVersion.withLock({ $0 < version }) else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(ledger)
        let temporary = path + ".new"
        // One that a crash has left is not written into: somebody else may have made it, or a link
        // in its place.
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("open") }
        defer { close(file) }
        try FileHandle(fileDescriptor: file, closeOnDealloc: false).write(contentsOf: data)
        guard fsync(file) == 0 else { throw failure("sync") }
        guard rename(temporary, path) == 0 else { throw failure("replace") }
        let folder = open(
            URL(fileURLWithPath: path).deletingLastPathComponent().path,
            O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("open the folder of") }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure("sync the folder of") }
        savedVersion.withLock { $0 = max($0, version) }
    }

    private func failure(_ action: String) -> StateFileError {
        StateFileError(
            description: "cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}
