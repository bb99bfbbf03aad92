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

    /// `nil`: the verb is no order.
    func orders(_ verb: String, _ words: [String], _ ms: Int64) throws(Mistake) -> [Fault]? {
        switch verb {
        case "clear-brake": return [.order(.clearBrake(reason: "looked at"))]
        default: return nil
        }
    }
}
