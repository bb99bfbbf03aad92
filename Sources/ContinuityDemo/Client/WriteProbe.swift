package import ContinuityPostgres
import Synchronization

/// The demo's client: it writes a row every few milliseconds through whatever is primary, and
/// keeps every acknowledgement.
///
/// Each node has one long-lived session, as an application's connection pool would. A standby
/// refuses the write and the session stays, so that the first write that a promoted node takes is
/// seen at once, without a new connection.
package final class WriteProbe: Sendable {
    /// A write that the server said was committed.
    package struct Acknowledgement: Sendable {
        package let id: Int64
        package let nodeID: String
        package let sentAt: ContinuousClock.Instant
        package let acknowledgedAt: ContinuousClock.Instant
    }

    /// The pause after an acknowledged write.
    static let pace: Duration = .milliseconds(2)
    /// The pause after a refused write: standbys shall not eat the machine.
    static let refusedPace: Duration = .milliseconds(8)
    /// How soon a session that died is opened again.
    static let reopenPause: Duration = .milliseconds(20)

    static let table = "continuity_demo_writes"

    private let nodes: [PostgresNode]
    private let nextID = Atomic<Int64>(1)
    private let kept = Mutex<[Acknowledgement]>([])

    package init(nodes: [PostgresNode]) {
        self.nodes = nodes
    }

    /// Creates the table on the primary.
    package static func createTable(on primary: PostgresNode) async throws {
        try await Program.mustRun(
            primary.psql("CREATE TABLE \(table) (id bigint PRIMARY KEY, node text NOT NULL)"))
    }

    /// Writes until the task is cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for node in nodes {
                group.addTask { await self.keepSession(to: node) }
            }
        }
    }

    /// What was acknowledged so far, in the order of the acknowledgements.
    package var acknowledgements: [Acknowledgement] {
        kept.withLock { $0 }.sorted { $0.acknowledgedAt < $1.acknowledgedAt }
    }

    /// The acknowledged writes that a node does not have.
    ///
    /// - Throws: `PostgresError` when the node cannot be read.
    package func lost(on node: PostgresNode) async throws -> [Int64] {
        let acknowledged = kept.withLock { $0.map(\.id) }
        let text = try await Program.mustRun(node.psql("SELECT id FROM \(Self.table)"))
        let stored = Set(text.split(separator: "\n").compactMap { Int64($0) })
        return acknowledged.filter { !stored.contains($0) }
    }

    private func keepSession(to node: PostgresNode) async {
        while !Task.isCancelled {
            // A cheap look first: starting a psql for nothing costs a hundred times as much.
            if UnixSocket.accepts(path: node.socketPath) {
                try? await WriteSession(node: node, table: Self.table).run(
                    nextID: { self.nextID.add(1, ordering: .relaxed).oldValue },
                    onAcknowledgement: { acknowledgement in
                        self.kept.withLock { $0.append(acknowledgement) }
                    })
            }
            try? await Task.sleep(for: Self.reopenPause)
        }
    }
}
