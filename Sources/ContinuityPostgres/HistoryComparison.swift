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

    private static let pageBytes: UInt64 = 8192

    /// Whether the WAL that ends at `position` is the same on both.
    func compare(before position: WALPosition) async throws -> Answer {
        guard position.bytes > 0 else { return .unknown }
        let last = position.bytes - 1
        let segmentStart = last / segmentBytes * segmentBytes
        var start = last / Self.pageBytes * Self.pageBytes
        // A page's first bytes are its header, which two histories may share.
        if position.bytes - start < 256, start > segmentStart { start -= Self.pageBytes }
        let count = Int(position.bytes - start)
        let files = history.timelines(before: position).map { name(of: segmentStart, on: $0) }
        guard let local = files.lazy.compactMap({ read($0, start - segmentStart, count) }).first,
            let theirs = try await inquiry.wal(
                files: files, offset: start - segmentStart, count: count),
            theirs.count == count
        else { return .unknown }
        return local == theirs ? .same : .different
    }

    private func name(of segmentStart: UInt64, on timeline: UInt32) -> String {
        let number = segmentStart / segmentBytes
        let perLog = (1 << 32) / segmentBytes
        return [UInt64(timeline), number / perLog, number % perLog].map { part in
            let digits = String(part, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        }.joined()
    }

    private func read(_ file: String, _ offset: UInt64, _ count: Int) -> [UInt8]? {
        let bytes = readBytes(directory.inside("pg_wal/\(file)"), offset: offset, count: count)
        return bytes.count == count ? bytes : nil
    }
}
