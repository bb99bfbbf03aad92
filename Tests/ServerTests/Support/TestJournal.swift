import ContinuityCore
import ContinuityStore
import Foundation
import Synchronization

@testable import ContinuityServer

/// A journal in memory that fails as told.
final class TestJournal: Journal {
    enum Trouble: Sendable {
        /// Nothing becomes durable.
        case refuses
        /// The entries become durable, and the append fails all the same.
        case failsAfterwards
        /// As `refuses`, and it cannot be read either.
        case isUnreadable
        /// It can be written, and nobody can read it.
        case readsFail
    }

    struct Content: Sendable {
        var entries: [JournalEntry] = []
        /// How many entries each append had that succeeded.
        var appends: [[String]] = []
        var threads: Set<String> = []
        var trouble: Trouble?
        /// The trouble is over with the append that it meets.
        var isOnce = false
    }

    private let content = Mutex(Content())

    var now: Content { content.withLock(\.self) }

    func fail(_ trouble: Trouble?, once: Bool = false) {
        content.withLock { ($0.trouble, $0.isOnce) = (trouble, once) }
    }

    private static let error = StoreError(
        file: "test", message: "the disk is full", remedy: "make room")

    func append(_ entries: [JournalEntry]) throws(StoreError) {
        let isRefused = content.withLock { content in
            content.threads.insert(threadName())
            let trouble = content.trouble
            if content.isOnce { content.trouble = nil }
            if trouble == nil || trouble == .failsAfterwards || trouble == .readsFail {
                content.entries += entries
                content.appends.append(entries.map(\.kind))
            }
            return trouble != nil && trouble != .readsFail
        }
        if isRefused { throw Self.error }
    }

    func fold() throws -> OrchestratorState {
        let now = now
        if now.trouble == .isUnreadable { throw Self.error }
        var state = OrchestratorState()
        for entry in now.entries { try state.replay(entry) }
        return state
    }

    func read(after seq: Int64, limit: Int) async throws -> [JournalEntry] {
        if now.trouble == .isUnreadable || now.trouble == .readsFail { throw Self.error }
        return Array(now.entries.filter { $0.seq > seq }.prefix(limit))
    }

    func read(_ query: JournalQuery) async throws -> [JournalEntry] {
        try await read(after: query.after, limit: query.limit)
    }

    func readLast(kind: String, containing text: String) async throws -> JournalEntry? {
        now.entries.last {
            $0.kind == kind && String(decoding: $0.body, as: UTF8.self).contains(text)
        }
    }
}

/// The calling thread's, as the kernel has it.
private func threadName() -> String {
    let text = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
    return text?.trimmingCharacters(in: .newlines) ?? ""
}

/// Effects that are kept, and never carried out.
final class TestEffects: EffectPort {
    private let state = Mutex<(alerts: [Alert], threads: Set<String>)>(([], []))

    var alerts: [Alert] { state.withLock(\.alerts) }
    var threads: Set<String> { state.withLock(\.threads) }

    func carryOut(_ effect: Effect, _ inbox: Inbox) async { noteThread() }

    private func noteThread() {
        state.withLock { _ = $0.threads.insert(threadName()) }
    }

    func tell(_ alert: Alert) { state.withLock { $0.alerts.append(alert) } }
}
