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

    /// `schedule KIND [NODE] at=30s window=10s`, counted from the start of the scenario.
    private func arrangement(_ words: [String]) throws(Mistake) -> ScheduleWish {
        var wish = ScheduleWish(
            clusterID: Self.id, kind: try choice(words.first), targetNodeID: nil, atMs: 0,
            windowS: 0, reason: "arranged")
        for word in words.dropFirst() {
            guard word.contains("=") else {
                wish.targetNodeID = nodes[try node(word)].nodeID
                continue
            }
            let (key, value) = try pair(word)
            switch key {
            case "at": wish.atMs = DriftingClock.epochUTCMs + (try time(value))
            case "window": wish.windowS = try time(value) / 1000
            default: throw Mistake(message: "an arranged move has no '\(key)'")
            }
        }
        return wish
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
        case "schedule": return [.order(.schedule(try arrangement(words)))]
        case "cancel-schedule": return [.order(.cancelSchedule(Self.id, reason: "no need"))]
        default: return nil
        }
    }
}
