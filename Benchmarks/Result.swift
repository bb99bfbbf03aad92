import ContinuityCore

/// One figure, beside what it is held against.
struct Result {
    /// What the figure is compared with, in the same unit.
    struct Reference {
        let name: String
        let value: Double
    }

    let name: String
    let value: Double
    let unit: String
    let against: Reference?

    var ratio: Double? { against.map { value / $0.value } }

    var json: String {
        var members = [
            #""name":"\#(name)""#, #""value":\#(Self.text(value))"#, #""unit":"\#(unit)""#,
        ]
        members.append(#""against":"# + (against.map { #""\#($0.name)""# } ?? "null"))
        members.append(#""ratio":"# + (ratio.map(Self.text) ?? "null"))
        return "{" + members.joined(separator: ",") + "}"
    }

    var row: String {
        let figure = Self.padded("\(Self.text(value)) \(unit)", 16, left: true)
        let comparison = against.map {
            "\(Self.padded("× \(Self.text(value / $0.value))", 10)) of \($0.name)"
        }
        return "\(Self.padded(name, 44)) \(figure)  \(comparison ?? "")"
    }

    private static func text(_ value: Double) -> String {
        let scaled = (value * 1000).rounded() / 1000
        return scaled == scaled.rounded() ? String(Int64(scaled)) : String(scaled)
    }

    private static func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return left ? space + text : text + space
    }
}
