import ContinuityCore
import ContinuityTransport
import Synchronization

/// Holds what agents witnessed against the journal, and tells each contradiction once.
///
/// What an agent says is its own choice of words, so it must not decide how much is journaled: a
/// node's further alarms within ``quiet`` are counted, and told with the next one.
final class WitnessWatch: Sendable {
    private static let quiet: Duration = .seconds(600)
    /// A node's states are held against the journal so often a second at most.
    private static let checksPerSecond = 10

    private struct Seen {
        var status: AuditStatus.WitnessStatus
        var state: WitnessState
        var clusterID: ClusterID
        var toldAt: ContinuousClock.Instant?
        var told: String?
        var untold: Int64 = 0
    }

    private let seen = Mutex<[String: Seen]>([:])
    private let checks = Mutex(RateLimiter(perSecond: checksPerSecond))

    /// - Parameter reaches: whose witnesses are shown.
    func statuses(where reaches: (ClusterID) -> Bool = { _ in true }) -> [AuditStatus.WitnessStatus]
    {
        seen.withLock { seen in
            seen.sorted { $0.key < $1.key }.map(\.value).filter { reaches($0.clusterID) }
                .map(\.status)
        }
    }

    /// - Returns: what is to be journaled and alerted, when it is news.
    /// - Throws: when the journal cannot be read.
    func finding(
        in report: NodeReport, _ journal: any Journal,
        at now: ContinuousClock.Instant = .now
    ) async throws -> WitnessAlarm? {
        guard let witness = report.witness?.bounded else { return nil }
        let name = "\(report.clusterID)/\(report.nodeID)"
        guard seen.withLock({ $0[name]?.state != witness }),
            checks.withLock({ $0.take(name, at: now) }) == nil
        else { return nil }
        let finding = try await finding(in: witness, journal)
        return seen.withLock { seen in
            let status = AuditStatus.WitnessStatus(
                clusterID: report.clusterID, nodeID: report.nodeID, seq: witness.seq,
                alarm: finding)
            var node =
                seen[name]
                ?? Seen(status: status, state: witness, clusterID: report.clusterID)
            (node.status, node.state) = (status, witness)
            defer { seen[name] = node }
            guard let finding, finding != node.told else { return nil }
            if let toldAt = node.toldAt, toldAt.duration(to: now) < Self.quiet {
                node.untold += 1
                return nil
            }
            let untold = node.untold
            (node.toldAt, node.told, node.untold) = (now, finding, 0)
            let counted = untold == 0 ? "" : " (and \(untold) further alarms since the last one)"
            return WitnessAlarm(
                nodeID: report.nodeID, seq: witness.seq, hash: witness.hash,
                finding: finding + counted)
        }
    }

    private func finding(
        in witness: WitnessState, _ journal: any Journal
    ) async throws -> String? {
        if let alarm = witness.alarm { return alarm }
        let entry = try await journal.read(after: witness.seq - 1, limit: 1).first
        guard let entry, entry.seq == witness.seq else {
            return "rewind: it witnessed entry \(witness.seq), which this journal does not have"
        }
        guard entry.hash != witness.hash else { return nil }
        return "fork: it witnessed entry \(witness.seq) with another hash than this journal has"
    }
}
