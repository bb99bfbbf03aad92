/// A number as people and programs write it: `95`, and, where the predecessor had a float, `95.0`
/// or `9.5e1`. Exact, without floating point.
enum WholeNumber: Equatable {
    case whole(Int64)
    case fraction
    /// Whole, and beyond 64 bits.
    case tooLarge

    /// `nil`: it is no number.
    init?(_ text: String) {
        if let value = Int64(text) {
            self = .whole(value)
            return
        }
        guard
            let match = text.wholeMatch(
                of: #/([-+]?)([0-9]{0,64})(?:\.([0-9]{0,64}))?(?:[eE]([-+]?[0-9]{1,4}))?/#)
        else { return nil }
        let (_, sign, before, after, exponentText) = match.output
        var digits = Array(before) + Array(after ?? "")
        guard !digits.isEmpty else { return nil }
        // Where the point stands, counted in digits from the left.
        let point = before.count + (exponentText.flatMap { Int($0) } ?? 0)
        while digits.last == "0" { digits.removeLast() }
        guard !digits.isEmpty else {
            self = .whole(0)
            return
        }
        guard digits.count <= point else {
            self = .fraction
            return
        }
        guard point - digits.count <= 19,
            let value = Int64(
                (sign == "-" ? "-" : "") + String(digits)
                    + String(repeating: "0", count: point - digits.count))
        else {
            self = .tooLarge
            return
        }
        self = .whole(value)
    }
}
