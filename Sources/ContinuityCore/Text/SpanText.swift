/// Lengths of time for people: the two units that say it best.
package enum SpanText {
    package static func text(ms: Int64) -> String {
        let seconds = ms / 1000
        switch seconds {
        case ..<1: return "\(ms) ms"
        case ..<10: return "\(seconds).\(ms % 1000 / 100) s"
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        default: return "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
        }
    }
}
