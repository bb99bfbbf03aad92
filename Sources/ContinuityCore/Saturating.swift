/// Arithmetic on times and counts that never traps: what lies beyond 64 bits is the furthest value
/// there is. An extreme value from outside then means "never" or "always", and no process ends.
infix operator +| : AdditionPrecedence
infix operator -| : AdditionPrecedence
infix operator *| : MultiplicationPrecedence

extension Int64 {
    /// Saturating addition.
    package static func +| (left: Int64, right: Int64) -> Int64 { left.addingSaturated(right) }
    /// Saturating subtraction.
    package static func -| (left: Int64, right: Int64) -> Int64 {
        left.subtractingSaturated(right)
    }
    /// Saturating multiplication.
    package static func *| (left: Int64, right: Int64) -> Int64 {
        left.multipliedSaturated(by: right)
    }

    package func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        guard overflow else { return sum }
        return other < 0 ? .min : .max
    }

    package func subtractingSaturated(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        guard overflow else { return difference }
        return other < 0 ? .max : .min
    }

    package func multipliedSaturated(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        guard overflow else { return product }
        return (self < 0) == (other < 0) ? .max : .min
    }
}
