/// Somebody has said that a cluster or a node is to be left alone for a while: a pause or a
/// maintenance. It always ends, by hand or by itself.
package struct Suspension: Codable, Hashable, Sendable {
    /// Seven days: who needs longer says so again.
    package static let durationRangeS: ClosedRange<Int64> = 1...604_800

    package var owner: String
    package var reason: String
    /// UTC milliseconds since 1970.
    package var fromMs: Int64
    package var untilMs: Int64
    /// Who ordered it, where that is not the owner.
    package var setBy: String?

    package init(
        owner: String, reason: String, fromMs: Int64, untilMs: Int64, setBy: String? = nil
    ) {
        self.setBy = setBy
        self.owner = owner
        self.reason = reason
        self.fromMs = fromMs
        self.untilMs = untilMs
    }

    private enum CodingKeys: String, CodingKey {
        case owner, reason
        case fromMs = "from_ms"
        case untilMs = "until_ms"
        case setBy = "set_by"
    }
}

/// How a pause or a maintenance came to its end.
package enum SuspensionEnd: String, Codable, Hashable, Sendable {
    case byHand = "by_hand"
    case expired
}

extension ClusterState {
    /// The maintenance that a node is in, its own or its cluster's.
    package func maintenance(of node: NodeID) -> Suspension? {
        nodeMaintenance[node] ?? maintenance
    }

    /// Whether nobody is to be woken for what becomes of the primary.
    var isQuiet: Bool {
        maintenance != nil
            || (cluster.topology == .activePassive && nodeMaintenance[primary] != nil)
    }

    mutating func suspend(_ body: JournalBody) {
        switch body {
        case .pauseStarted(let body): pause = body.suspension
        case .pauseEnded: pause = nil
        case .maintenanceStarted(let body):
            if let node = body.nodeID {
                nodeMaintenance[node] = body.suspension
            } else {
                maintenance = body.suspension
            }
        case .maintenanceEnded(let body):
            if let node = body.nodeID {
                nodeMaintenance[node] = nil
            } else {
                maintenance = nil
            }
        default: break
        }
    }
}
