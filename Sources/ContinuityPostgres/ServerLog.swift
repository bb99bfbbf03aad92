import FoundationEssentials
import Glibc

/// What a server has written in its logs since a moment: in the file that it was started with, and
/// in those of its logging collector.
struct ServerLog: Sendable {
    private let directory: DataDirectory
    private let startFile: String
    private let begin: [String: UInt64]
    private static let limitBytes: UInt64 = 256 << 10

    /// From now on.
    init(directory: DataDirectory, startFile: String) {
        self.directory = directory
        self.startFile = startFile
        var begin: [String: UInt64] = [:]
        for file in Self.files(directory, startFile) { begin[file] = Self.size(file) }
        self.begin = begin
    }

    private static func files(_ directory: DataDirectory, _ startFile: String) -> [String] {
        let current =
            (try? String(contentsOfFile: directory.inside("current_logfiles"), encoding: .utf8))
            ?? ""
        let collected = current.split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ", maxSplits: 1)
            guard fields.count == 2, fields[0] == "stderr" else { return nil }
            return fields[1].hasPrefix("/")
                ? String(fields[1]) : directory.inside(String(fields[1]))
        }
        return [startFile] + collected
    }

    private static func size(_ path: String) -> UInt64 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_size) : 0
    }

    func lines() -> [Substring] {
        Self.files(directory, startFile).flatMap { file -> [Substring] in
            let size = Self.size(file)
            let start = max(begin[file] ?? 0, size > Self.limitBytes ? size - Self.limitBytes : 0)
            guard size > start else { return [] }
            let data = readBytes(file, offset: start, count: Int(size - start))
            return String(decoding: data, as: UTF8.self).split(separator: "\n")
        }
    }

    func tail(orElse other: String = "") -> String {
        let lines = lines()
        return lines.isEmpty ? other : lines.suffix(15).joined(separator: "\n")
    }
}
