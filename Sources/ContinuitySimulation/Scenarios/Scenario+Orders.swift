import ContinuityCore

/// What people order: the lines of a scenario file about brakes, pauses and arranged moves.
extension Scenario {
    mutating func readBrake(_ word: String) throws(Mistake) {
        let (key, value) = try pair(word)
        switch key {
        case "max_failovers": brake.maxFailovers = Int(try number(value))
        case "window_s": brake.windowS = try number(value)
        default: throw Mistake(message: "a brake has no '\(key)'")
        }
    }

    private static let id: ClusterID = "scenario"

    private func wish(_ ms: Int64) -> SuspensionWish {
        SuspensionWish(owner: "operator", reason: "work", durationS: ms / 1000)
    }

    private func optionalNode(_ words: [String]) throws(Mistake) -> NodeID? {
        words.isEmpty ? nil : nodes[try node(words.first)].nodeID
    }

    /// `nil`: the verb is no order.
    func orders(_ verb: String, _ words: [String], _ ms: Int64) throws(Mistake) -> [Fault]? {
        switch verb {
        case "clear-brake": return [.order(.clearBrake(reason: "looked at"))]
        case "pause": return [.order(.pause(Self.id, wish(ms)))]
        case "resume": return [.order(.resume(Self.id, reason: "done"))]
        case "maintenance":
            return [.order(.beginMaintenance(Self.id, try optionalNode(words), wish(ms)))]
        case "end-maintenance":
            return [.order(.endMaintenance(Self.id, try optionalNode(words), reason: "done"))]
        default: return nil
        }
    }
}
