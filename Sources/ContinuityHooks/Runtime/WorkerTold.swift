import CLinux
import ContinuityCore

/// What a worker tells on the way. It is kept whatever ends the worker.
struct WorkerTold {
    private(set) var logs: [String] = []
    private var logBytesLeft: Int
    private var active: Set<Int> = []
    private var executed: Set<Int> = []

    init(logBytesMax: Int64) { logBytesLeft = Int(logBytesMax) }

    /// `false`: the budget is used up, and the line is not kept. The worker keeps to the budget by
    /// itself, as long as it is what it should be. U+FFFD in place of one bad byte has three.
    mutating func log(_ line: String) -> Bool {
        logBytesLeft -= line.utf8.count / 3 + 1
        guard logBytesLeft >= 0 else { return false }
        logs.append(line)
        return true
    }

    mutating func begin(_ lines: HookCoverage) {
        active = Set(lines.active)
        executed = active.intersection(lines.executed)
    }

    /// Only lines that hold code count, so that what is kept is bounded by the script.
    mutating func ran(_ line: Int) {
        if active.contains(line) { executed.insert(line) }
    }

    var coverage: HookCoverage {
        HookCoverage(executed: executed.sorted(), active: active.sorted())
    }
}

extension WorkerChannel {
    /// Takes what a killed worker had written before its end: no more than the socket holds. What
    /// it says of its own end comes too late and is left.
    mutating func drain(into told: inout WorkerTold) {
        deadlineNs = continuity_monotonic_ns() + InvocationSession.endTimeoutNs
        while let frame = try? receive() {
            switch frame {
            case .log(let line):
                guard told.log(line) else { return }
            case .coverage(let lines): told.begin(lines)
            case .line(let line): told.ran(line)
            case .call, .done: return
            }
        }
    }
}
