package import ContinuityCore
import ContinuityCrypto
import Foundation
import Synchronization

/// The recordings of a server: one file for each hook call, the oldest dropped first.
package final class RecordingStore: Sendable {
    package static let countDefault: Int64 = 500
    /// All files together.
    static let bytesMax = 64 << 20

    private struct File {
        let name: String
        let bytes: Int
    }

    private let folder: String
    private let countMax: Int
    private let files: Mutex<[File]>

    /// - Parameter countMax: how many files are kept.
    /// - Throws: when the folder can neither be found nor made.
    package init(folder: String, countMax: Int) throws {
        self.folder = folder
        self.countMax = countMax
        let manager = FileManager.default
        try manager.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let found = try manager.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".json") }
            .map { name -> (file: File, date: Date) in
                let attributes = try manager.attributesOfItem(atPath: folder + "/" + name)
                let bytes = (attributes[.size] as? NSNumber)?.intValue ?? 0
                return (
                    File(name: name, bytes: bytes),
                    attributes[.modificationDate] as? Date ?? .distantPast
                )
            }
            .sorted { ($0.date, $0.file.name) < ($1.date, $1.file.name) }
        files = Mutex(found.map(\.file))
    }

    /// The name follows from the operation's key, which stands in the journal.
    package static func fileName(of operation: OperationKey) -> String {
        hexString(SHA256.digest(Array(operation.rawValue.utf8))) + ".json"
    }

    /// - Throws: when the file cannot be written; the hook's outcome holds all the same.
    package func save(_ recording: HookRecording) throws {
        guard countMax > 0 else { return }
        let name = Self.fileName(of: OperationKey(recording.operation))
        let data = Data(try CanonicalJSON.bytes(encoding: recording))
        let url = URL(fileURLWithPath: folder).appending(path: name)
        try data.write(to: url, options: .atomic)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: url.path)
        let dropped = files.withLock { files in
            files.removeAll { $0.name == name }
            files.append(File(name: name, bytes: data.count))
            var total = files.reduce(0) { $0 + $1.bytes }
            var dropped: [String] = []
            while files.count > countMax || (total > Self.bytesMax && files.count > 1) {
                let oldest = files.removeFirst()
                total -= oldest.bytes
                dropped.append(oldest.name)
            }
            return dropped
        }
        for name in dropped {
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
        }
    }
}
