/// Finds parts of known texts in a stream of bytes, in time linear in the stream: a suffix automaton
/// over all texts together. After each byte it knows the longest part of any text that ends there.
struct SubstringAutomaton: Sendable {
    /// A text, and how many bytes of it in a row count as found.
    struct Pattern {
        var bytes: [UInt8]
        var lengthMin: Int
        /// What `find` gives for it.
        var index: Int
    }

    private static let skipped: Int32 = -1
    private static let foreign: Int32 = -2

    /// By byte: its place in the alphabet, or one of the two above.
    private var symbols: [Int32]
    private var alphabetCount = 0
    /// By state and symbol: the next state, or -1.
    private var next: [Int32] = []
    private var link: [Int32] = []
    private var length: [Int32] = []
    /// By state: from which length on its texts count as found, and as which pattern.
    private var lengthMin: [Int32] = []
    private var index: [Int32] = []

    /// - Parameter skipping: bytes of the stream that are passed over.
    init(_ patterns: [Pattern], skipping: (UInt8) -> Bool = { _ in false }) {
        symbols = (0...255).map { skipping(UInt8($0)) ? Self.skipped : Self.foreign }
        for pattern in patterns {
            for byte in pattern.bytes where symbols[Int(byte)] == Self.foreign {
                symbols[Int(byte)] = Int32(alphabetCount)
                alphabetCount += 1
            }
        }
        _ = addState(length: 0)
        for pattern in patterns { insert(pattern.bytes) }
        for pattern in patterns { mark(pattern) }
        spreadMarks()
    }

    var isEmpty: Bool { alphabetCount == 0 }

    // MARK: Building

    private mutating func addState(length: Int32) -> Int32 {
        next.append(contentsOf: repeatElement(-1, count: alphabetCount))
        link.append(-1)
        self.length.append(length)
        lengthMin.append(.max)
        index.append(-1)
        return Int32(link.count - 1)
    }

    private func slot(_ state: Int32, _ symbol: Int32) -> Int {
        Int(state) * alphabetCount + Int(symbol)
    }

    /// The usual construction, begun at the root for each text.
    private mutating func insert(_ bytes: [UInt8]) {
        var last: Int32 = 0
        for byte in bytes {
            let symbol = symbols[Int(byte)]
            guard symbol >= 0 else { continue }
            last = extend(last, symbol)
        }
    }

    private mutating func extend(_ last: Int32, _ symbol: Int32) -> Int32 {
        let known = next[slot(last, symbol)]
        if known >= 0 {
            return length[Int(known)] == length[Int(last)] + 1
                ? known : split(known, from: last, symbol)
        }
        let state = addState(length: length[Int(last)] + 1)
        var at = last
        while at >= 0, next[slot(at, symbol)] < 0 {
            next[slot(at, symbol)] = state
            at = link[Int(at)]
        }
        guard at >= 0 else {
            link[Int(state)] = 0
            return state
        }
        let target = next[slot(at, symbol)]
        link[Int(state)] =
            length[Int(target)] == length[Int(at)] + 1 ? target : split(target, from: at, symbol)
        return state
    }

    /// A copy of `state` for its shorter texts, which end in more places.
    private mutating func split(_ state: Int32, from first: Int32, _ symbol: Int32) -> Int32 {
        let copy = addState(length: length[Int(first)] + 1)
        for other in 0..<Int32(alphabetCount) {
            next[slot(copy, other)] = next[slot(state, other)]
        }
        link[Int(copy)] = link[Int(state)]
        link[Int(state)] = copy
        var at = first
        while at >= 0, next[slot(at, symbol)] == state {
            next[slot(at, symbol)] = copy
            at = link[Int(at)]
        }
        return copy
    }

    private mutating func mark(_ pattern: Pattern) {
        var state: Int32 = 0
        for byte in pattern.bytes {
            let symbol = symbols[Int(byte)]
            guard symbol >= 0 else { continue }
            state = next[slot(state, symbol)]
            note(state, Int32(pattern.lengthMin), Int32(pattern.index))
        }
    }

    private mutating func note(_ state: Int32, _ least: Int32, _ pattern: Int32) {
        guard state > 0, least < lengthMin[Int(state)] else { return }
        lengthMin[Int(state)] = least
        index[Int(state)] = pattern
    }

    /// What holds for a text holds for its ends as well; and where an end of it is found already,
    /// so is the text.
    private mutating func spreadMarks() {
        let byLength = link.indices.dropFirst().sorted { length[$0] > length[$1] }
        for state in byLength { note(link[state], lengthMin[state], index[state]) }
        for state in byLength.reversed() {
            let shorter = Int(link[state])
            if shorter > 0, lengthMin[shorter] <= length[shorter] {
                lengthMin[state] = 0
                index[state] = index[shorter]
            }
        }
    }

    // MARK: Searching

    /// The pattern of which enough stands in `bytes`, the first that is met.
    func find(in bytes: [UInt8]) -> Int? {
        guard !isEmpty else { return nil }
        var state: Int32 = 0
        var matched: Int32 = 0
        return symbols.withUnsafeBufferPointer { symbols in
            next.withUnsafeBufferPointer { next in
                for byte in bytes {
                    let symbol = symbols[Int(byte)]
                    if symbol == Self.skipped { continue }
                    guard symbol >= 0 else {
                        state = 0
                        matched = 0
                        continue
                    }
                    while state != 0, next[slot(state, symbol)] < 0 {
                        state = link[Int(state)]
                        matched = length[Int(state)]
                    }
                    let following = next[slot(state, symbol)]
                    guard following >= 0 else { continue }
                    state = following
                    matched += 1
                    if matched >= lengthMin[Int(state)] { return Int(index[Int(state)]) }
                }
                return nil
            }
        }
    }
}
