import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import HTTPTypes
import Synchronization

/// Tells an agent's news from heartbeats that somebody sends again, without trusting any clock.
///
/// Within one run of this server a node's sequence only grows, and a boot that another followed is
/// over. Across runs the session tells them apart: it is drawn anew at each start, every answer
/// names it, and a report that names another is refused.
final class ReportGuard: Sendable {
    static let field = HTTPField.Name("continuity-session")
    /// Boots of one node that are remembered as over: more restarts than that in one run of the
    /// server, and the oldest could come back.
    private static let bootsMax = 256

    private struct NodeState {
        var bootID: String
        var sequence: Int64
        var overBoots: [String] = []
    }

    let session = hexString(randomBytes(16))
    private let nodes = Mutex<[String: NodeState]>([:])

    var headers: HTTPFields {
        guard let field = Self.field else { return [:] }
        return [field: session]
    }

    /// - Throws: ``Problem`` when the report is of another session, old, or repeated.
    func check(_ report: NodeReport, _ fields: HTTPFields) throws {
        guard let field = Self.field, fields[field] == session else {
            throw Problem(
                .conflict, "stale-session",
                "name the session of this answer's 'Continuity-Session' and send it again",
                headers: headers)
        }
        let key = "\(report.clusterID)/\(report.nodeID)"
        let isNew = nodes.withLock { nodes -> Bool in
            var node = nodes[key] ?? NodeState(bootID: report.bootID, sequence: Int64.min)
            defer { nodes[key] = node }
            if node.bootID == report.bootID {
                guard report.sequence > node.sequence else { return false }
                node.sequence = report.sequence
                return true
            }
            guard !node.overBoots.contains(report.bootID) else { return false }
            node.overBoots.append(node.bootID)
            if node.overBoots.count > Self.bootsMax { node.overBoots.removeFirst() }
            node.bootID = report.bootID
            node.sequence = report.sequence
            return true
        }
        guard isNew else {
            throw Problem(
                .conflict, "stale-report", "a later report of this node came before",
                headers: headers)
        }
    }
}
