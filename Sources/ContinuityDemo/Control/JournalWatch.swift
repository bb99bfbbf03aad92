import ContinuityCore
import Synchronization

/// Follows the orchestrator's journal from its first entry on, as it grows.
final class JournalWatch: Sendable {
    typealias Entry = ControlClient.Entry

    private let client: ControlClient
    private let kept = Mutex<[Entry]>([])
    private let onEntry: @Sendable (Entry) -> Void

    init(client: ControlClient, onEntry: @escaping @Sendable (Entry) -> Void) {
        self.client = client
        self.onEntry = onEntry
    }

    var entries: [Entry] { kept.withLock { $0 } }

    /// Runs until the task is cancelled. An orchestrator that does not answer is asked again.
    func run() async {
        var position: Int64 = 0
        while !Task.isCancelled {
            do {
                let fresh = try await client.entries(after: position, waitMs: 2000)
                kept.withLock { $0 += fresh }
                fresh.forEach(onEntry)
                position = fresh.last?.seq ?? position
            } catch {
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }
}
