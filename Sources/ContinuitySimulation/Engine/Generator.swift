/// SplitMix64: the only source of chance in a simulation. The same seed gives the same numbers in
/// every process, on every machine.
struct Generator: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number of the range, every one about equally likely.
    mutating func int(_ range: ClosedRange<Int64>) -> Int64 {
        let width = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(next() % width)
    }

    mutating func index(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// True in `permille` of 1000 cases.
    mutating func chance(_ permille: Int64) -> Bool { int(0...999) < permille }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[index(elements.count)]
    }

    /// A generator of its own for one part of the world, so that a change in one part leaves the
    /// others' course alone.
    mutating func fork() -> Generator { Generator(seed: next()) }
}
