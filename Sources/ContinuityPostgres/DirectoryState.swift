import FoundationEssentials
import Glibc

/// What a stopped data directory is, by all its signs.
struct DirectoryState: Sendable {
    enum Kind: Equatable, Sendable {
        case empty
        /// A base backup that was never started, or not far enough to be one server.
        case backup
        case standby
        /// A primary that was stopped in an orderly way.
        case stoppedPrimary
        /// It says of itself that it was a running primary. So does a copy of one.
        case crashedPrimary
        /// Its control file cannot be read.
        case unreadable
    }

    let kind: Kind
    let control: PostgresControl?
    /// Of a backup: where its recovery begins, and on which timeline.
    let backupStart: (position: WALPosition, timeline: UInt32)?
    /// A person, or a base backup, has said that it shall be a standby.
    let hasStandbySignal: Bool

    static func read(
        _ directory: DataDirectory, _ installation: PostgresInstallation
    ) async throws -> DirectoryState {
        guard directory.exists, !directory.isEmpty else {
            return DirectoryState(
                kind: .empty, control: nil, backupStart: nil, hasStandbySignal: false)
        }
        let output = try await Program.run(
            installation.serverProgram("pg_controldata", ["-D", directory.path]))
        let control = output.isSuccess ? try? PostgresControl(parsing: output.output) : nil
        let label = try? String(contentsOfFile: directory.inside("backup_label"), encoding: .utf8)
        let hasSignal = access(directory.inside("standby.signal"), F_OK) == 0
        func state(_ kind: Kind) -> DirectoryState {
            DirectoryState(
                kind: kind, control: control, backupStart: label.flatMap(start(in:)),
                hasStandbySignal: hasSignal)
        }
        guard let control else { return state(.unreadable) }
        if label != nil { return state(.backup) }
        switch control.state {
        case .standby: return state(.standby)
        case .cleanPrimary: return state(.stoppedPrimary)
        case .inProduction, .crashRecovery: return state(.crashedPrimary)
        }
    }

    private static func start(
        in label: String
    ) -> (position: WALPosition, timeline: UInt32)? {
        func value(_ key: String) -> Substring? {
            label.split(separator: "\n").first { $0.hasPrefix(key) }?.dropFirst(key.count)
        }
        guard let position = value("CHECKPOINT LOCATION: ").flatMap({ WALPosition($0) }),
            let timeline = value("START TIMELINE: ").flatMap({ UInt32($0) })
        else { return nil }
        return (position, timeline)
    }
}

/// Which ways of rejoining fit a data directory, in order, and why.
struct RejoinPlan: Equatable, Sendable {
    let ways: [PostgresRejoin.Way]
    /// For people: what the directory is, and what makes the first way the first.
    let reason: String

    /// A checkpoint record's header with its checksum: comparing it compares the record.
    private static let recordHeader: UInt64 = 32

    /// - Throws: `PostgresError` for the data of another database system.
    static func make(
        _ state: DirectoryState, _ facts: PrimaryFacts, _ comparison: HistoryComparison?
    ) async throws -> RejoinPlan {
        guard let control = state.control, let comparison else {
            return state.kind == .empty
                ? RejoinPlan(ways: [.baseBackup], reason: "there is no data yet")
                : RejoinPlan(ways: [.baseBackup], reason: "the control file cannot be read")
        }
        guard control.systemID == facts.systemID else {
            throw PostgresError(
                "\(comparison.directory.path) is of the database system \(control.systemID), the "
                    + "primary's is \(facts.systemID): it is not a copy of this one. Nothing was "
                    + "changed; move the directory away if this node shall become a standby")
        }
        func same(_ position: WALPosition) async throws -> HistoryComparison.Answer {
            try await comparison.compare(before: position)
        }
        func after(_ checkpoint: WALPosition) -> WALPosition {
            WALPosition(bytes: checkpoint.bytes + Self.recordHeader)
        }
        switch state.kind {
        case .backup:
            return try await ofBackup(state, facts) { try await same(after($0)) }
        case .standby:
            return try await ofStandby(control, facts) { try await same($0) }
        case .stoppedPrimary:
            if facts.history.continues(control.timeline, endingWith: control.checkpoint) {
                switch try await same(after(control.checkpoint)) {
                case .same:
                    return RejoinPlan(
                        ways: [.asItIs, .rewind, .baseBackup],
                        reason: "a stopped primary, all of whose WAL the primary has")
                case .different where control.timeline == facts.history.current,
                    .unknown where control.timeline == facts.history.current:
                    return RejoinPlan(
                        ways: [.baseBackup],
                        reason: "it was a primary on the timeline that the primary is on, and its "
                            + "last checkpoint is not the primary's: two histories on one timeline")
                case .different, .unknown: break
                }
            }
            return try await ofFormerPrimary(control, facts) { try await same($0) }
        case .crashedPrimary:
            return try await ofFormerPrimary(control, facts) { try await same($0) }
        case .empty, .unreadable:
            return RejoinPlan(ways: [.baseBackup], reason: "there is no data that could be used")
        }
    }

    private static func ofBackup(
        _ state: DirectoryState, _ facts: PrimaryFacts,
        _ same: (WALPosition) async throws -> HistoryComparison.Answer
    ) async throws -> RejoinPlan {
        guard let start = state.backupStart,
            facts.history.continues(start.timeline, endingWith: start.position),
            try await same(start.position) != .different
        else {
            return RejoinPlan(
                ways: [.baseBackup], reason: "a base backup of another history than the primary's")
        }
        return RejoinPlan(
            ways: [.asItIs, .baseBackup], reason: "a base backup that was never started")
    }

    /// A standby is first started as it is: the end of what it received stands in no control file,
    /// and whether it fits shows within moments. `pg_rewind` could not say so of a crashed standby
    /// before its recovery, which would write a checkpoint of its own and make it diverge.
    private static func ofStandby(
        _ control: PostgresControl, _ facts: PrimaryFacts,
        _ same: (WALPosition) async throws -> HistoryComparison.Answer
    ) async throws -> RejoinPlan {
        let (position, timeline) = control.reached
        let isOfOneTimeline = timeline == facts.history.current
        // A rewind wants an orderly end, and finds nothing on one and the same timeline.
        let others: [PostgresRejoin.Way] =
            control.timeline != facts.history.current ? [.rewind, .baseBackup] : [.baseBackup]
        if facts.history.leftAt[timeline].map({ position <= $0 }) ?? isOfOneTimeline {
            guard try await same(position) != .different else {
                return RejoinPlan(
                    ways: [.baseBackup],
                    reason: "a standby whose WAL before \(position) is not the primary's: two "
                        + "histories on one timeline")
            }
            return RejoinPlan(ways: [.asItIs] + others, reason: "a standby")
        }
        // Only after an orderly stop can it be rewound, and only a started one stops in order.
        let canStopFirst = !control.isShutDown && control.timeline != facts.history.current
        return RejoinPlan(
            ways: canStopFirst ? [.asItIs, .rewind, .baseBackup] : others,
            reason: "a standby that has replayed what the primary never had")
    }

    /// Single-user recovery writes a checkpoint. So it happens only to what is proven to have been
    /// the primary whose place another took: on an earlier timeline of the primary's history, with
    /// the same WAL up to where that was left. Its checkpoint then comes after that point.
    private static func ofFormerPrimary(
        _ control: PostgresControl, _ facts: PrimaryFacts,
        _ same: (WALPosition) async throws -> HistoryComparison.Answer
    ) async throws -> RejoinPlan {
        guard let left = facts.history.leftAt[control.timeline] else {
            let reason =
                control.timeline == facts.history.current
                ? "it says that it was a running primary, on the timeline that the primary is on: "
                    + "a copy without its backup_label, or a second history"
                : "its timeline \(control.timeline) is none of the primary's history"
            let canRewind = control.isShutDown && control.timeline != facts.history.current
            return RejoinPlan(
                ways: canRewind ? [.rewind, .baseBackup] : [.baseBackup], reason: reason)
        }
        switch try await same(left) {
        case .same:
            return RejoinPlan(
                ways: [.rewind, .baseBackup],
                reason: "the former primary: its WAL up to \(left), where timeline "
                    + "\(control.timeline) was left, is the primary's")
        case .different:
            return RejoinPlan(
                ways: [.baseBackup],
                reason: "its WAL before \(left), where timeline \(control.timeline) was left, is "
                    + "not the primary's: a copy of the former primary, or another history")
        case .unknown:
            return RejoinPlan(
                ways: [.baseBackup],
                reason: "the WAL at \(left), where timeline \(control.timeline) was left, is no "
                    + "longer there on both: nothing proves that it was the primary")
        }
    }
}
