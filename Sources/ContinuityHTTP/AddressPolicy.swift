/// Which addresses a request may be sent to.
package enum AddressPolicy: Sendable {
    /// What is reachable from anywhere, and nothing of this machine or network.
    case publicOnly
    /// Private networks and this machine too. Never link-local addresses, at which clouds keep
    /// their metadata.
    case privateToo

    /// - Parameter bytes: 4 or 16, in network order. Anything else is refused.
    package func allows(_ bytes: [UInt8]) -> Bool {
        switch Self.classify(bytes) {
        case .global: true
        case .inner: self == .privateToo
        case .never: false
        }
    }

    private enum Reach { case global, inner, never }

    private static func classify(_ bytes: [UInt8]) -> Reach {
        switch bytes.count {
        case 4: classify4(bytes)
        case 16: classify6(bytes)
        default: .never
        }
    }

    private static func classify4(_ bytes: [UInt8]) -> Reach {
        switch (bytes[0], bytes[1]) {
        case (0, _), (224..., _): .never
        // Link-local, with the metadata of most clouds at 169.254.169.254.
        case (169, 254): .never
        // Metadata of Alibaba and Oracle.
        case (100, 100) where bytes[2] == 100 && bytes[3] == 200: .never
        case (192, 0) where bytes[2] == 0: .never
        case (10, _), (127, _), (192, 168), (172, 16...31): .inner
        case (100, 64...127): .inner
        case (198, 18...19): .inner
        default: .global
        }
    }

    private static func classify6(_ bytes: [UInt8]) -> Reach {
        let isZero = { (range: Range<Int>) in bytes[range].allSatisfy { $0 == 0 } }
        if isZero(0..<15), bytes[15] == 1 { return .inner }
        // IPv4 in IPv6: mapped, compatible, translated (NAT64), and 6to4.
        if isZero(0..<10), bytes[10] == 0xFF, bytes[11] == 0xFF {
            return classify4(Array(bytes[12...]))
        }
        if isZero(0..<12) { return .never }
        if bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B]) { return classify4(Array(bytes[12...])) }
        if bytes.starts(with: [0x20, 0x02]) { return classify4(Array(bytes[2..<6])) }
        switch (bytes[0], bytes[1]) {
        case (0xFF, _): return .never
        case (0xFE, 0x80...0xBF): return .never
        case (0xFE, 0xC0...0xFF): return .inner
        // Metadata of Amazon, within the private range.
        case (0xFD, 0x00) where bytes[2] == 0x0E && bytes[3] == 0xC2: return .never
        case (0xFC...0xFD, _): return .inner
        default: return .global
        }
    }
}
