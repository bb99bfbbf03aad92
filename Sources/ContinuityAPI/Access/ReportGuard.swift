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

    /// Reports of a boot that another seems to have followed, until that other is the second agent
    /// of a node whose first one is alive. One alone may have been under way.
    private static let returnsMax = 2
    /// A second agent is heard once the first has been silent for so long.
    private static let firstIsGone: Duration = .seconds(10)

    private struct NodeState {
        var bootID: String
        var sequence: Int64
        var heardAt: ContinuousClock.Instant
        /// The boot before, which has come back so many times since.
        var previous: (bootID: String, sequence: Int64, returns: Int)?
        /// Boots of agents beside a living one.
        var secondBoots: Set<String> = []
        var overBoots: [String] = []

        mutating func follow(by report: NodeReport, at now: ContinuousClock.Instant) {
            if let previous { overBoots.append(previous.bootID) }
            if overBoots.count > bootsMax { overBoots.removeFirst() }
            previous = (bootID, sequence, 0)
            bootID = report.bootID
            sequence = report.sequence
            heardAt = now
        }
    }

    private enum Verdict { case news, stale, secondAgent }

    let session = hexString(randomBytes(16))
    private let nodes = Mutex<[String: NodeState]>([:])

    var headers: HTTPFields {
        guard let field = Self.field else { return [:] }
        return [field: session]
    }

    /// - Throws: ``Problem`` when the report is of another session, old, repeated, or of a second
    ///   agent beside the node's own.
    func check(_ report: NodeReport, _ fields: HTTPFields, at now: ContinuousClock.Instant = .now)
        throws
    {
        guard let field = Self.field, fields[field] == session else {
            throw Problem(
                .conflict, "stale-session",
                "name the session of this answer's 'Continuity-Session' and send it again",
                headers: headers)
        }
        let key = "\(report.clusterID)/\(report.nodeID)"
        let verdict = nodes.withLock { nodes -> Verdict in
            var node =
                nodes[key]
                ?? NodeState(bootID: report.bootID, sequence: Int64.min, heardAt: now)
            defer { nodes[key] = node }
            return Self.judge(report, &node, now)
        }
        switch verdict {
        case .news: break
        case .stale:
            throw Problem(
                .conflict, "stale-report", "a later report of this node came before",
                headers: headers)
        case .secondAgent:
            throw Problem(
                .conflict, "second-agent",
                "another agent reports for \(report.nodeID) as well, and goes on: stop this one, or "
                    + "give it a node_id of its own", headers: headers)
        }
    }

    private static func judge(
        _ report: NodeReport, _ node: inout NodeState, _ now: ContinuousClock.Instant
    ) -> Verdict {
        if node.bootID == report.bootID {
            guard report.sequence > node.sequence else { return .stale }
            node.sequence = report.sequence
            node.heardAt = now
            return .news
        }
        if let previous = node.previous, previous.bootID == report.bootID {
            return judgeReturn(of: previous, report, &node, now)
        }
        if node.secondBoots.contains(report.bootID) {
            guard now - node.heardAt >= firstIsGone else { return .secondAgent }
            node.secondBoots.remove(report.bootID)
        } else if node.overBoots.contains(report.bootID) {
            return .stale
        }
        node.follow(by: report, at: now)
        return .news
    }

    /// A boot that another followed reports again: that other is no successor.
    private static func judgeReturn(
        of previous: (bootID: String, sequence: Int64, returns: Int), _ report: NodeReport,
        _ node: inout NodeState, _ now: ContinuousClock.Instant
    ) -> Verdict {
        guard report.sequence > previous.sequence else { return .stale }
        let returns = previous.returns + 1
        guard returns >= returnsMax else {
            node.previous = (previous.bootID, report.sequence, returns)
            return .stale
        }
        if node.secondBoots.count < bootsMax { node.secondBoots.insert(node.bootID) }
        node.bootID = report.bootID
        node.sequence = report.sequence
        node.previous = nil
        node.heardAt = now
        return .news
    }
}
