import ContinuityCore
import Foundation
import Glibc

/// The agent's checkpoints on disk: one JSON line each, only ever added to.
struct WitnessLog {
    private static let limitBytes = 64 << 20
    private let handle: FileHandle

    /// Opens the file, creating it where there is none, and reads what it holds.
    ///
    /// - Throws: `StateFileError` when it cannot be used, or a line before the last is damaged.
    static func open(path: String) throws -> (log: WitnessLog, records: [WitnessRecord]) {
        let descriptor = Glibc.open(
            path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StateFileError(
                description: "\(path) cannot be opened: \(String(cString: strerror(errno))); let "
                    + "the agent's user write it")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let data = try handle.read(upToCount: limitBytes) ?? Data()
        var records: [WitnessRecord] = []
        var whole = 0
        for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let end = line.endIndex
            // Without its line feed it was never whole: a crash cut it off.
            guard end < data.endIndex else { break }
            whole = end + 1
            if line.isEmpty { continue }
            guard let record = try? JSONDecoder().decode(WitnessRecord.self, from: Data(line))
            else {
                throw StateFileError(
                    description: "\(path) is damaged; keep it as evidence, move it away, and start "
                        + "the agent again")
            }
            records.append(record)
        }
        if whole < data.count { try handle.truncate(atOffset: UInt64(whole)) }
        return (WitnessLog(handle: handle), records)
    }

    /// Returns when the line is durable.
    func append(_ record: WitnessRecord) throws {
        let line = try CanonicalJSON.bytes(encoding: record) + [UInt8(ascii: "\n")]
        try handle.write(contentsOf: Data(line))
        try handle.synchronize()
    }
}
