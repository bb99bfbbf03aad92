import ArgumentParser
import ContinuityCommandLine
import ContinuityCore
import ContinuityServer
import ContinuityStore
import Foundation

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "What runs did, step by step.",
        subcommands: [RunList.self, RunShow.self])
}

/// How a run ended, or that it has not.
private struct ListedRun: Encodable {
    var runID: RunID
    var clusterID: String?
    var kind: PlanKind
    var fromNodeID: NodeID
    var toNodeID: NodeID
    var requestedAtMs: Int64
    var state: String
    var reason: String

    enum CodingKeys: String, CodingKey {
        case runID = "run_id"
        case clusterID = "cluster_id"
        case kind
        case fromNodeID = "from_node_id"
        case toNodeID = "to_node_id"
        case requestedAtMs = "requested_at_ms"
        case state, reason
    }
}

struct RunList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the newest runs, in order.")

    @OptionGroup var source: JournalSource

    @Option(help: "At most so many, 1 to 1000.")
    var limit = 20

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit is 1 to 1000.") }
    }

    func run() async throws {
        try await reporting {
            let requested = try await source.entries(
                after: 0, limit: limit, kind: "run_requested", newest: true)
            let finished = try await source.entries(
                after: 0, limit: limit, kind: "run_finished", newest: true)
            var ends: [RunID: RunFinished] = [:]
            for entry in finished {
                guard case .runFinished(let end) = try entry.content else { continue }
                ends[end.runID] = end
            }
            let runs = try requested.compactMap { entry -> ListedRun? in
                guard case .runRequested(let run) = try entry.content else { return nil }
                let end = ends[run.runID]
                return ListedRun(
                    runID: run.runID, clusterID: entry.clusterID, kind: run.plan.kind,
                    fromNodeID: run.plan.primaryNodeID, toNodeID: run.plan.failoverTargetID,
                    requestedAtMs: entry.atMs, state: end?.state.rawValue ?? "running",
                    reason: end?.reason ?? "")
            }
            if json { return try runs.forEach { try printJSON($0) } }
            var table = Table("RUN", "TIME", "CLUSTER", "KIND", "FROM", "TO", "STATE", "REASON")
            for run in runs {
                table.add(
                    run.runID.rawValue, timestamp(run.requestedAtMs), run.clusterID ?? "-",
                    run.kind.rawValue, run.fromNodeID.rawValue, run.toNodeID.rawValue, run.state,
                    run.reason)
            }
            print(table.text)
        }
    }
}

struct RunShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Tell a run step by step, from what led to it to its end.",
        discussion: """
            From a server, or with --journal from a file, offline. Times count from what was \
            detected before the run, or from its request.
            """)

    @Argument(help: "The run's id, run-10f55a25c4e1acb9 say. Without: the newest.")
    var run: String?

    @OptionGroup var source: JournalSource

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() async throws {
        try await reporting {
            let story = try await RunReading(source: source).story(of: run.map { RunID($0) })
            if json { return try story.lines.forEach { try printJSON($0) } }
            print("\(story.runID) of \(story.clusterID), requested at \(timestamp(story.atMs)):")
            for line in story.lines { print(line.text(from: story.zeroMs)) }
        }
    }
}

/// One line of a run's story.
struct StoryLine: Encodable {
    var seq: Int64
    var atMs: Int64
    var offsetMs: Int64
    var label: String
    var text: String

    enum CodingKeys: String, CodingKey {
        case seq
        case atMs = "at_ms"
        case offsetMs = "offset_ms"
        case label, text
    }

    func text(from zeroMs: Int64) -> String {
        let time = String(offsetMs)
        let padding = String(repeating: " ", count: max(0, 7 - time.count))
        let gap = String(repeating: " ", count: max(1, 12 - label.count))
        return "  +\(padding)\(time) ms  \(label)\(gap)\(text)"
    }
}

/// Gathers a run's entries, and those around it that belong to its story.
private struct RunReading {
    struct Story {
        var runID: RunID
        var clusterID: String
        var atMs: Int64
        var zeroMs: Int64
        var lines: [StoryLine]
    }

    /// What was seen so long before the request led to it.
    private static let leadMs: Int64 = 120_000
    private static let leadEntries: Int64 = 200
    /// What stands behind the end: alerts that are delivered.
    private static let tailEntries = 200
    private static let entriesMax = 200_000
    private static let pagesMax = 2000

    let source: JournalSource

    func story(of wanted: RunID?) async throws -> Story {
        let start = try await request(of: wanted)
        guard case .runRequested(let request) = try start.content, let cluster = start.clusterID
        else { throw failure("entry \(start.seq) requests no run", Exit.unmet) }
        var story = RunTimeline()
        var lines: [StoryLine] = []
        var alerts: Set<AlertID> = []
        for entry in try await entries(around: start, of: request.runID) {
            guard let body = try? entry.content else { continue }
            // Also of what is not told: operations are named by their intents.
            guard let line = story.take(body),
                entry.clusterID == cluster,
                Self.belongs(body, entry, to: request.runID, start, &alerts)
            else {
                if case .alertQueued(let queued) = body,
                    queued.alert.subject == request.runID.rawValue
                {
                    alerts.insert(queued.alert.alertID)
                }
                continue
            }
            lines.append(
                StoryLine(
                    seq: entry.seq, atMs: entry.atMs, offsetMs: 0, label: line.label,
                    text: line.text))
        }
        let zeroMs = lines.first?.atMs ?? start.atMs
        for index in lines.indices { lines[index].offsetMs = max(0, lines[index].atMs - zeroMs) }
        return Story(
            runID: request.runID, clusterID: cluster, atMs: start.atMs, zeroMs: zeroMs,
            lines: lines)
    }

    private static func belongs(
        _ body: JournalBody, _ entry: PrintedEntry, to run: RunID, _ start: PrintedEntry,
        _ alerts: inout Set<AlertID>
    ) -> Bool {
        if entry.seq < start.seq {
            switch body {
            case .nodeStatusChanged, .clusterStateChanged:
                return start.atMs - entry.atMs <= leadMs
            case .holdChanged(let change):
                return change.hold != nil && start.atMs - entry.atMs <= leadMs
            default: return false
            }
        }
        switch body {
        case .operationFinished(let finished):
            return finished.operation.rawValue.hasPrefix(run.rawValue + "/")
        case .hookEffectIntended(let effect):
            return effect.operation.rawValue.hasPrefix(run.rawValue + "/")
        case .runRequested(let body): return body.runID == run
        case .runFinished(let body): return body.runID == run
        case .alertDelivered(let body): return alerts.contains(body.alertID)
        case .alertDead(let body): return alerts.contains(body.alertID)
        default: return true
        }
    }

    /// The entry that began the run.
    private func request(of wanted: RunID?) async throws -> PrintedEntry {
        guard let wanted else {
            let newest = try await source.entries(
                after: 0, limit: 1, kind: "run_requested", newest: true)
            guard let entry = newest.last else {
                throw failure("the journal has no run yet", Exit.unmet)
            }
            return entry
        }
        var after: Int64 = 0
        for _ in 0..<Self.pagesMax {
            let page = try await source.entries(after: after, limit: 1000, kind: "run_requested")
            for entry in page {
                guard case .runRequested(let run) = try entry.content, run.runID == wanted else {
                    continue
                }
                return entry
            }
            guard let last = page.last?.seq, page.count == 1000 else { break }
            after = last
        }
        throw failure("the journal has no run '\(wanted)'", Exit.unmet)
    }

    private func entries(
        around start: PrintedEntry, of run: RunID
    ) async throws -> [PrintedEntry] {
        var found: [PrintedEntry] = []
        var after = max(0, start.seq - Self.leadEntries)
        var tail: Int?
        while found.count < Self.entriesMax {
            let page = try await source.entries(after: after, limit: 1000)
            for entry in page {
                if let left = tail {
                    guard left > 0, entry.kind != "run_requested" else { return found }
                    tail = left - 1
                    // What happened later is another story.
                    guard entry.kind.hasPrefix("alert_") else { continue }
                }
                found.append(entry)
                if entry.kind == "run_finished",
                    case .runFinished(let end) = try entry.content, end.runID == run
                {
                    tail = Self.tailEntries
                }
            }
            guard let last = page.last?.seq, page.count == 1000 else { break }
            after = last
        }
        return found
    }
}
