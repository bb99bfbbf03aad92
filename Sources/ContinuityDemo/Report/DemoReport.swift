import ContinuityCore
import Synchronization

/// What one fault came to.
struct RunReport: Sendable {
    var outageMs: Int64
    /// From the fault to the first write that the new primary acknowledged.
    var untilNewPrimaryMs: Int64
    /// The longest gap afterwards, until the old primary was back.
    var laterGapMs: Int64
    var lostAcknowledgedWrites: Int
    var dualPrimaryWrites: Int
    /// `nil` by hand: nobody verified anything.
    var confidence: Int64?
    var fenceProof: String?
    var planID: String?
    var phasesMs: [String: Int64]
    /// Who was primary before, and who is now.
    var fromNode: String
    var toNode: String

    init(
        _ measured: OutageMeasurement, lostAcknowledgedWrites: Int, story: RunStory? = nil,
        phasesMs: [String: Int64], fromNode: String, toNode: String
    ) {
        outageMs = measured.outage.milliseconds
        untilNewPrimaryMs = measured.untilNewPrimary?.milliseconds ?? -1
        laterGapMs = measured.laterGap.milliseconds
        dualPrimaryWrites = measured.dualPrimaryWrites
        self.lostAcknowledgedWrites = lostAcknowledgedWrites
        confidence = story?.verification?.confidence
        fenceProof = story?.fenceProof?.rawValue
        planID = story?.plan.planID.rawValue
        self.phasesMs = phasesMs
        self.fromNode = fromNode
        self.toNode = toNode
    }

    var json: JSONValue {
        [
            "outage_ms": .int(outageMs),
            "until_new_primary_ms": .int(untilNewPrimaryMs),
            "later_gap_ms": .int(laterGapMs),
            "lost_acknowledged_writes": .int(Int64(lostAcknowledgedWrites)),
            "dual_primary_writes": .int(Int64(dualPrimaryWrites)),
            "confidence": confidence.map { .int($0) } ?? .null,
            "fence_proof": fenceProof.map { .string($0) } ?? .null,
            "plan_id": planID.map { .string($0) } ?? .null,
            "phases_ms": .object(phasesMs.mapValues { .int($0) }),
            "from_node_id": .string(fromNode),
            "to_node_id": .string(toNode),
        ]
    }
}

/// What the whole demo came to.
struct DemoReport: Sendable {
    let scenario: DemoOptions.Scenario
    var runs: [RunReport] = []
    /// Why it did not hold; `nil` when all of it did.
    var reason: String?
    var serveUsage: ProcessUsage?
    /// The reports of the drills, in the scenario `drill`.
    var drills: [JSONValue] = []

    init(scenario: DemoOptions.Scenario) {
        self.scenario = scenario
    }

    struct Spread: Sendable {
        let min, median, max: Int64

        init?(_ values: [Int64]) {
            let sorted = values.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            min = first
            max = last
            let middle = sorted.count / 2
            median =
                sorted.count.isMultiple(of: 2)
                ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
        }
    }

    var outage: Spread? { Spread(runs.map(\.outageMs)) }

    var json: JSONValue {
        var members: [String: JSONValue] = [
            "scenario": .string(scenario.rawValue),
            "ok": .bool(reason == nil),
            "runs": .array(runs.map(\.json)),
            "outage_ms": outage.map {
                ["min": .int($0.min), "median": .int($0.median), "max": .int($0.max)]
            } ?? .null,
        ]
        if !drills.isEmpty { members["drills"] = .array(drills) }
        if let reason { members["reason"] = .string(reason) }
        if let serveUsage {
            members["serve"] = [
                "resident_bytes": .int(serveUsage.residentBytes),
                "cpu_permille": .int(serveUsage.cpuPermille),
            ]
        }
        return .object(members)
    }
}

/// The report while it grows: what was measured before a failure is still told.
final class DemoRecord: Sendable {
    private let current: Mutex<DemoReport>

    init(_ report: DemoReport) {
        current = Mutex(report)
    }

    var report: DemoReport { current.withLock { $0 } }

    func change(_ body: (inout DemoReport) -> Void) { current.withLock { body(&$0) } }
}
