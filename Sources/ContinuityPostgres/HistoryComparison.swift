import FoundationEssentials
import Glibc

/// Compares the WAL of a stopped server with a primary's, byte for byte at one place.
///
/// Two servers that went on separately from one point on the same timeline have positions and
/// timelines that fit, and different histories. Only the bytes tell.
struct HistoryComparison: Sendable {
    enum Answer: Equatable, Sendable {
        case same
        case different
        /// One of the two has that segment no more.
        case unknown
    }

    let directory: DataDirectory
    let inquiry: PrimaryInquiry
    let history: TimelineHistory
    let segmentBytes: UInt64

    /// Whether the WAL that ends at `position` is the same on both.
    func compare(before position: WALPosition) async throws -> Answer {
        guard
            let sample = WALSample(of: directory, before: position, segmentBytes: segmentBytes)
        else { return .unknown }
        return try await compare(sample)
    }

    func compare(_ sample: WALSample) async throws -> Answer {
        let timelines = history.timelines(before: sample.position)
        guard let local = timelines.lazy.compactMap({ sample.bytes[$0] }).first else {
            // It went on with a timeline that the primary had left before.
            let others = sample.bytes.keys.filter { !timelines.contains($0) }
            let isLeft = others.allSatisfy { timeline in
                timeline > history.current
                    || history.leftAt[timeline].map { $0 < sample.position } ?? true
            }
            return others.isEmpty || !isLeft ? .unknown : .different
        }
        let files = timelines.map { sample.fileName(on: $0) }
        guard
            let theirs = try await inquiry.wal(
                files: files, offset: sample.offset, count: sample.count),
            theirs.count == sample.count
        else { return .unknown }
        return local == theirs ? .same : .different
    }
}

/// The bytes of a server's WAL just before a position, by the timeline of the file that has them.
struct WALSample: Sendable {
    let position: WALPosition
    let segmentBytes: UInt64
    /// Within the segment.
    let offset: UInt64
    let count: Int
    private(set) var bytes: [UInt32: [UInt8]] = [:]
    private let segmentStart: UInt64

    private static let pageBytes: UInt64 = 8192

    /// `nil` at the very beginning.
    init?(of directory: DataDirectory, before position: WALPosition, segmentBytes: UInt64) {
        guard position.bytes > 0, segmentBytes > 0 else { return nil }
        self.position = position
        self.segmentBytes = segmentBytes
        let last = position.bytes - 1
        segmentStart = last / segmentBytes * segmentBytes
        var start = last / Self.pageBytes * Self.pageBytes
        // A page's first bytes are its header, which two histories may share.
        if position.bytes - start < 256, start > segmentStart { start -= Self.pageBytes }
        offset = start - segmentStart
        count = Int(position.bytes - start)
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: directory.inside("pg_wal"))) ?? []
        let wanted = fileName(on: 0).dropFirst(8)
        for name in names where name.utf8.count == 24 && name.hasSuffix(wanted) {
            guard let timeline = UInt32(name.prefix(8), radix: 16) else { continue }
            let read = readBytes(directory.inside("pg_wal/\(name)"), offset: offset, count: count)
            if read.count == count { bytes[timeline] = read }
        }
    }

    func fileName(on timeline: UInt32) -> String {
        Self.fileName(of: segmentStart, on: timeline, segmentBytes: segmentBytes)
    }

    /// The file that has the byte at `position`.
    static func fileName(
        of position: UInt64, on timeline: UInt32, segmentBytes: UInt64
    ) -> String {
        let number = position / segmentBytes
        let perLog = (1 << 32) / segmentBytes
        return [UInt64(timeline), number / perLog, number % perLog].map { part in
            let digits = String(part, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        }.joined()
    }
}
