import ContinuityCore
import ContinuityTransport
import Synchronization

/// What `serve` counts since it started. What can be read off its state is not counted but read,
/// when somebody looks.
///
/// The journal's entries are counted when somebody looks, too, and not when they are written: a
/// failover waits for no statistics.
final class ServerMetrics: Sendable {
    struct RequestKey: Hashable, Comparable {
        var operation: String
        var status: Int

        static func < (left: Self, right: Self) -> Bool {
            (left.operation, left.status) < (right.operation, right.status)
        }
    }

    /// One cluster's share. `nil` for what is about no cluster.
    struct Tally {
        var entries: [String: Int64] = [:]
        var runs: [RunOutcome: PrometheusHistogram] = [:]
        var operations: [OperationLabels: PrometheusHistogram] = [:]
    }

    struct OperationLabels: Hashable, Comparable {
        var stage: String
        var by: String
        var outcome: String

        static func < (left: Self, right: Self) -> Bool {
            (left.stage, left.by, left.outcome) < (right.stage, right.by, right.outcome)
        }
    }

    private struct State {
        var requests: [RequestKey: Int64] = [:]
        var durations: [String: PrometheusHistogram] = [:]
        var tallies: [ClusterID?: Tally] = [:]
        /// The last entry that was counted.
        var seq: Int64
    }

    private static let requestBounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30,
    ]
    private static let runBounds = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300]
    private static let batch = 1000
    /// Entries that one look counts at most; the next look goes on.
    private static let batchesMax = 50

    private let state: Mutex<State>

    /// - Parameter seq: Entries after this one count: where the journal ended at the start.
    init(after seq: Int64) { state = Mutex(State(seq: seq)) }

    func answered(_ operation: APIOperation?, status: Int, took: Duration) {
        // What is asked for in vain has no name of its own: a stranger could make up any number.
        let name = operation?.rawValue ?? "none"
        let (seconds, attoseconds) = took.components
        state.withLock { state in
            state.requests[RequestKey(operation: name, status: status), default: 0] += 1
            state.durations[name, default: PrometheusHistogram(bounds: Self.requestBounds)]
                .observe(Double(seconds) + Double(attoseconds) / 1e18)
        }
    }

    var requests: [RequestKey: Int64] { state.withLock(\.requests) }
    var durations: [String: PrometheusHistogram] { state.withLock(\.durations) }
    var tallies: [ClusterID?: Tally] { state.withLock(\.tallies) }

    /// Counts what the journal has got since the last look, or since the server started.
    ///
    /// - Parameter clusters: each has its counters from the first look on, at zero: what is born
    ///   at one does not show in `increase()`.
    /// - Throws: what reading the journal throws.
    func catchUp(
        _ orchestrator: any OrchestratorPort, clusters: [ClusterID]
    ) async throws {
        state.withLock { state in
            for cluster in clusters.map(Optional.some) + [nil]
            where state.tallies[cluster] == nil {
                state.tallies[cluster] = Tally(bounds: Self.runBounds, ofCluster: cluster != nil)
            }
        }
        for _ in 0..<Self.batchesMax {
            let from = state.withLock(\.seq)
            let entries = try await orchestrator.entries(
                after: from, limit: Self.batch, waitMs: 0)
            state.withLock { state in
                // Another look may have counted some of them meanwhile.
                for entry in entries where entry.seq > state.seq {
                    state.seq = entry.seq
                    let fresh = Tally(
                        bounds: Self.runBounds, ofCluster: entry.clusterID != nil)
                    state.tallies[entry.clusterID, default: fresh].count(entry, Self.runBounds)
                }
            }
            guard entries.count == Self.batch else { return }
        }
    }
}

extension ServerMetrics.Tally {
    fileprivate init(bounds: [Double], ofCluster: Bool) {
        for kind in JournalBody.kinds { entries[kind] = 0 }
        guard ofCluster else { return }
        for state: RunOutcome in [.committed, .rolledBack, .failed, .refused] {
            runs[state] = PrometheusHistogram(bounds: bounds)
        }
    }

    fileprivate mutating func count(_ entry: JournalEntry, _ bounds: [Double]) {
        entries[entry.kind, default: 0] += 1
        guard entry.kind == "run_finished" || entry.kind == "operation_finished" else { return }
        switch try? JournalBody(of: entry) {
        case .runFinished(let run):
            runs[run.state, default: PrometheusHistogram(bounds: bounds)]
                .observe(Double(run.durationMs) / 1000)
        case .operationFinished(let operation):
            let result = operation.result
            let labels = ServerMetrics.OperationLabels(
                stage: operation.stage?.rawValue ?? "none",
                by: result.hook == nil ? "agent" : "hook",
                outcome: result.hook?.status.rawValue ?? result.outcome.rawValue)
            operations[labels, default: PrometheusHistogram(bounds: bounds)]
                .observe(Double(result.durationMs) / 1000)
        default: return
        }
    }
}
