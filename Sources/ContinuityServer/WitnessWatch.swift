import ContinuityCore
import ContinuityStore
import Synchronization

/// Holds what agents witnessed against the journal, and tells each contradiction once.
final class WitnessWatch: Sendable {
    private let seen = Mutex<[String: (status: AuditStatus.WitnessStatus, state: WitnessState)]>([:]
    )

    var statuses: [AuditStatus.WitnessStatus] {
        seen.withLock { $0.sorted { $0.key < $1.key }.map(\.value.status) }
    }

    /// - Returns: what is to be journaled and alerted, when it is news.
    /// - Throws: when the journal cannot be read.
    func finding(
        in report: NodeReport, _ store: JournalStore
    ) throws -> WitnessAlarm? {
        guard let witness = report.witness else { return nil }
        let name = "\(report.clusterID)/\(report.nodeID)"
        guard seen.withLock({ $0[name]?.state != witness }) else { return nil }
        let finding = try finding(in: witness, store)
        let isNews = seen.withLock { seen in
            defer {
                seen[name] = (
                    AuditStatus.WitnessStatus(
                        nodeID: report.nodeID, seq: witness.seq, alarm: finding), witness
                )
            }
            return finding != nil && seen[name]?.status.alarm != finding
        }
        guard isNews, let finding else { return nil }
        return WitnessAlarm(
            nodeID: report.nodeID, seq: witness.seq, hash: witness.hash, finding: finding)
    }

    private func finding(in witness: WitnessState, _ store: JournalStore) throws -> String? {
        if let alarm = witness.alarm { return alarm }
        let entry = try store.entries(after: witness.seq - 1, limit: 1).first
        guard let entry, entry.seq == witness.seq else {
            return "rewind: it witnessed entry \(witness.seq), which this journal does not have"
        }
        guard entry.hash != witness.hash else { return nil }
        return "fork: it witnessed entry \(witness.seq) with another hash than this journal has"
    }
}
