/// A position in the write-ahead log, in bytes since its beginning.
struct WALPosition: Comparable, Hashable, Sendable, CustomStringConvertible {
    let bytes: UInt64

    init(bytes: UInt64) { self.bytes = bytes }

    /// PostgreSQL's own form: the two halves in hexadecimal, `16/B374D848`.
    init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "/")
        guard halves.count == 2, let high = UInt32(halves[0], radix: 16),
            let low = UInt32(halves[1], radix: 16)
        else { return nil }
        bytes = UInt64(high) << 32 | UInt64(low)
    }

    var description: String {
        String(bytes >> 32, radix: 16, uppercase: true) + "/"
            + String(bytes & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    static func < (left: Self, right: Self) -> Bool { left.bytes < right.bytes }
}

/// What a server's control file says.
struct PostgresControl: Sendable {
    enum State: Equatable, Sendable {
        /// A primary that was stopped in an orderly way.
        case cleanPrimary
        /// A standby, stopped in an orderly way or not.
        case standby
        /// A primary that runs or died, or a copy of one.
        case inProduction
        /// A primary that recovers, or died while it did.
        case crashRecovery
    }

    let state: State
    /// Whether it needs no recovery.
    let isShutDown: Bool
    let systemID: String
    let timeline: UInt32
    let checkpoint: WALPosition
    /// How far a standby has replayed at least; zero for a primary.
    let minimumRecovery: WALPosition
    let minimumRecoveryTimeline: UInt32
    let segmentBytes: UInt64

    /// Reads what `pg_controldata` prints under `LC_ALL=C`.
    init(parsing output: String) throws(PostgresError) {
        var fields: [Substring: Substring] = [:]
        for line in output.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
        }
        guard let state = fields["Database cluster state"],
            let systemID = fields["Database system identifier"],
            let timeline = fields["Latest checkpoint's TimeLineID"].flatMap({ UInt32($0) }),
            let checkpoint = fields["Latest checkpoint location"].flatMap({ WALPosition($0) }),
            let segmentBytes = fields["Bytes per WAL segment"].flatMap({ UInt64($0) }),
            (1 << 20...1 << 30).contains(segmentBytes)
        else {
            throw PostgresError("pg_controldata printed something else than control data")
        }
        switch state {
        case "shut down": self.state = .cleanPrimary
        case "shut down in recovery", "in archive recovery": self.state = .standby
        case "in crash recovery", "starting up": self.state = .crashRecovery
        default: self.state = .inProduction
        }
        isShutDown = state.hasPrefix("shut down")
        self.systemID = String(systemID)
        self.timeline = timeline
        self.checkpoint = checkpoint
        self.segmentBytes = segmentBytes
        minimumRecovery =
            fields["Minimum recovery ending location"].flatMap { WALPosition($0) }
            ?? WALPosition(bytes: 0)
        let named = fields["Min recovery ending loc's timeline"].flatMap { UInt32($0) } ?? 0
        minimumRecoveryTimeline = named == 0 ? timeline : named
    }

    /// The furthest position that this directory is known to have replayed, with its timeline.
    var reached: (position: WALPosition, timeline: UInt32) {
        minimumRecovery > checkpoint
            ? (minimumRecovery, minimumRecoveryTimeline) : (checkpoint, timeline)
    }
}

/// The timelines that a server's history runs through.
struct TimelineHistory: Sendable {
    let current: UInt32
    /// Where each earlier timeline was left, by its number.
    let leftAt: [UInt32: WALPosition]

    /// - Parameter text: the timeline's history file; empty for timeline 1.
    init(current: UInt32, parsing text: String) {
        self.current = current
        var leftAt: [UInt32: WALPosition] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count >= 2, let timeline = UInt32(fields[0]),
                let position = WALPosition(fields[1])
            else { continue }
            leftAt[timeline] = position
        }
        self.leftAt = leftAt
    }

    /// Whether a primary's history that ends with a checkpoint record at `checkpoint` is the
    /// beginning of this one. A record that starts before the point where its timeline was left
    /// also ends there, as timelines are only left between records.
    func continues(_ timeline: UInt32, endingWith checkpoint: WALPosition) -> Bool {
        if timeline == current { return true }
        guard let position = leftAt[timeline] else { return false }
        return checkpoint < position
    }

    /// The timelines whose files may hold the byte before `position`, the likeliest first: that in
    /// which it was written, and those that began in the same segment and copied it.
    func timelines(before position: WALPosition) -> [UInt32] {
        let all = leftAt.keys.sorted() + [current]
        return all.drop { timeline in leftAt[timeline].map { $0 < position } ?? false }.map(\.self)
    }
}
