import ContinuityNode
import Foundation
import Glibc
import Synchronization

/// A program that was started, from its start to its end.
final class LaunchedProgram: Sendable {
    private let started = Mutex<pid_t?>(nil)

    var pid: pid_t? { started.withLock(\.self) }

    func began(_ pid: pid_t) { started.withLock { $0 = pid } }

    /// - Returns: its process id; `nil`: it was never started.
    func end() -> pid_t? {
        started.withLock { pid in
            defer { pid = nil }
            return pid
        }
    }
}

/// Whether a program and what it has started, as far as it stayed in its session, still do
/// something: read, write or compute.
struct SessionProgress {
    enum Finding: Equatable {
        case moved
        case nothing
        case stoodStill
    }

    private static let intervalMs: Int64 = 500

    private let limitMs: Int64
    private var last: UInt64?
    private var movedAt = BootInstant.now
    private var lookedAt: BootInstant?

    init(limitMs: Int64) { self.limitMs = limitMs }

    /// Looks at most twice a second.
    mutating func look(at session: pid_t?) -> Finding {
        let now = BootInstant.now
        if let lookedAt, now - lookedAt < Self.intervalMs { return .nothing }
        lookedAt = now
        let total = session.map(Self.workDone) ?? 0
        if total != last {
            last = total
            movedAt = now
            return .moved
        }
        return now - movedAt >= limitMs ? .stoodStill : .nothing
    }

    /// Bytes read and written, and ticks of processor time, of all processes of a session. Only that
    /// it changes means something: when a process ends, what it did is no longer in the sum.
    private static func workDone(by session: pid_t) -> UInt64 {
        var total: UInt64 = 0
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = pid_t(name), getsid(pid) == session else { continue }
            total &+= UInt64(pid)
            total &+= bytesMoved(by: pid) &+ ticks(of: pid)
        }
        return total
    }

    private static func bytesMoved(by pid: pid_t) -> UInt64 {
        text("/proc/\(pid)/io").split(separator: "\n").prefix(2).reduce(0) { sum, line in
            sum &+ (line.split(separator: " ").last.flatMap { UInt64($0) } ?? 0)
        }
    }

    /// The name of a program may hold anything: what counts begins behind its bracket.
    private static func ticks(of pid: pid_t) -> UInt64 {
        let line = text("/proc/\(pid)/stat")
        guard let bracket = line.lastIndex(of: ")") else { return 0 }
        let fields = line[line.index(after: bracket)...].split(separator: " ")
        // `utime` and `stime`, fields 14 and 15 of all.
        return fields.dropFirst(11).prefix(2).reduce(0) { $0 &+ (UInt64($1) ?? 0) }
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    }
}
