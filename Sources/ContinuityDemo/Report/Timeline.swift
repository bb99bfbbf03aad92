import ContinuityCore
import FoundationEssentials
import Synchronization

/// Prints what the journal says of a run, as it happens, in milliseconds since the fault.
final class Timeline: Sendable {
    private struct State {
        /// UTC milliseconds; `nil` while nothing is told.
        var faultAtMs: Int64?
        var story = RunTimeline()
    }

    private let console: Console
    private let state = Mutex(State())

    init(console: Console) {
        self.console = console
    }

    /// From now on entries are told, counted from this moment.
    func begin() { state.withLock { $0.faultAtMs = Self.utcMs } }

    func end() { state.withLock { $0.faultAtMs = nil } }

    /// Tells of something that stands in no journal.
    func tell(_ label: String, _ text: String) { print(label, text, atMs: Self.utcMs) }

    func take(_ entry: ControlClient.Entry) {
        guard let line = state.withLock({ $0.story.take(entry.body) }) else { return }
        print(line.label, line.text, atMs: entry.atMs)
    }

    private func print(_ label: String, _ text: String, atMs: Int64) {
        guard let fault = state.withLock({ $0.faultAtMs }) else { return }
        let time = String(max(0, atMs - fault))
        let padding = String(repeating: " ", count: max(0, 6 - time.count))
        let gap = String(repeating: " ", count: max(1, 11 - label.count))
        console.say("  +\(padding)\(time) ms  \(label)\(gap)\(text)")
    }

    private static var utcMs: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
