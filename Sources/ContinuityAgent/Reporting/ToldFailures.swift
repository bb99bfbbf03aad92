import ContinuityNode

/// Which reasons for having no orchestrator were logged. Each is said once, since that a server
/// refuses is another matter than that none answers, and again after ten minutes.
///
/// Reasons count as the same when only their numbers differ: a refusal that says when to try again
/// would otherwise be news with each report.
struct ToldFailures: Sendable {
    private static let againMs: Int64 = 600_000
    /// More kinds than servers have; a text that is always new is logged no oftener than this.
    private static let kindsMax = 16

    private var toldAt: [String: BootInstant] = [:]

    /// - Returns: whether they are to be logged now.
    mutating func note(_ failures: [String], at now: BootInstant) -> Bool {
        let kind = failures.map(Self.kind).joined(separator: "\n")
        if let told = toldAt[kind], now - told < Self.againMs { return false }
        guard toldAt.count < Self.kindsMax || toldAt[kind] != nil else {
            guard toldAt.values.allSatisfy({ now - $0 >= Self.againMs }) else { return false }
            toldAt = [kind: now]
            return true
        }
        toldAt[kind] = now
        return true
    }

    private static func kind(_ text: String) -> String {
        var kind = ""
        for character in text {
            guard character.isNumber else {
                kind.append(character)
                continue
            }
            if kind.last != "#" { kind.append("#") }
        }
        return kind
    }
}
