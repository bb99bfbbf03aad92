import ContinuityCore
import ContinuityPostgres
import Foundation
import Synchronization
import Testing

@testable import ContinuityDemo

/// What one fault was like, for the table that the tests print.
struct CaseReport: Sendable {
    enum Expectation: Sendable {
        /// The primary moves, exactly once.
        case failover
        /// The primary stays.
        case none
        /// Either is right: it depends on which comes first.
        case either
    }

    let name: String
    let outageMs: Int64
    let untilNewPrimaryMs: Int64?
    let failovers: Int
    let falseFailovers: Int
    let dualPrimaryWrites: Int
    let lostWrites: Int
    /// From the end of the fault to HEALTHY.
    let healedMs: Int64

    static let header = [
        "CASE", "OUTAGE", "NEW PRIMARY", "FAILOVERS", "FALSE", "DUAL WRITES", "LOST", "HEALED",
    ]

    var row: [String] {
        [
            name, "\(outageMs) ms", untilNewPrimaryMs.map { "\($0) ms" } ?? "-", "\(failovers)",
            "\(falseFailovers)", "\(dualPrimaryWrites)", "\(lostWrites)", "\(healedMs) ms",
        ]
    }

    static func show(_ reports: [CaseReport], title: String) {
        var table = TextTable(header: header)
        table.rows = reports.map(\.row)
        Console(isQuiet: false).say("\n\(title)\n" + table.lines.joined(separator: "\n") + "\n")
    }
}

extension Bench {
    static let settlingTime: Duration = .milliseconds(2500)

    /// One fault against a HEALTHY cluster, and its end.
    ///
    /// - Parameters:
    ///   - fault: begins it; given the primary. It may also last for a while and end the fault.
    ///   - heal: ends it, after the new primary took a write where one is expected.
    func play(
        _ name: String, _ expected: CaseReport.Expectation,
        fault: (DemoLayout.Member) async throws -> Void,
        heal: (DemoLayout.Member) async throws -> Void = { _ in }
    ) async throws -> CaseReport {
        try await healthy()
        let old = try await primary()
        let position = session.journal.entries.last?.seq ?? 0
        let began = ContinuousClock.now
        try await fault(old)
        if expected == .failover {
            try await session.expect("\(name): a new primary", within: .seconds(40), agents: []) {
                measurement(since: began, old).newPrimary == nil ? "nobody acknowledges" : nil
            }
        }
        try await heal(old)
        let healing = ContinuousClock.now
        try await healthy(within: .seconds(90))
        let healed = ContinuousClock.now - healing
        if expected != .failover {
            // What moves without need moves once silence and lease have passed.
            try await Task.sleep(for: Self.settlingTime)
            try await healthy(within: .seconds(90))
        }
        let seen = measurement(since: began, old)
        let failovers = try await committedFailovers(after: position)
        let lost = try await session.probe.lost(on: try await primary().postgres)
        let report = CaseReport(
            name: name, outageMs: seen.outage.milliseconds,
            untilNewPrimaryMs: seen.untilNewPrimary?.milliseconds, failovers: failovers,
            falseFailovers: expected == .none ? failovers : max(0, failovers - 1),
            dualPrimaryWrites: seen.dualPrimaryWrites, lostWrites: lost.count,
            healedMs: healed.milliseconds)
        Console(isQuiet: false).say(report.row.joined(separator: " | "))
        #expect(report.dualPrimaryWrites == 0, "\(name)")
        #expect(report.lostWrites == 0, "\(name)")
        #expect(report.falseFailovers == 0, "\(name)")
        if expected == .failover { #expect(report.failovers == 1, "\(name)") }
        return report
    }

    func measurement(
        since began: ContinuousClock.Instant, _ old: DemoLayout.Member
    ) -> OutageMeasurement {
        let all = session.probe.acknowledgements
        // One acknowledgement from before the fault: the gap begins with it.
        let first = all.lastIndex { $0.acknowledgedAt <= began } ?? 0
        return OutageMeasurement(
            Array(all.dropFirst(first)), fault: began, oldPrimary: old.id)
    }

    /// The journal by the server's own answer: what this process follows may be behind.
    private func committedFailovers(after position: Int64) async throws -> Int {
        let entries = try await session.client.entries(after: position, waitMs: 0)
        return entries.count {
            if case .runRequested(let run) = $0.body { run.kind != .restart } else { false }
        }
    }
}
