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
        // Azure's platform services, in the middle of the public range.
        case (168, 63) where bytes[2] == 129 && bytes[3] == 16: .never
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
        // NAT64: the well-known prefix holds the address at its end. Those of a network's own may
        // hold it anywhere, so nobody can tell what they lead to.
        if bytes.starts(with: [0x00, 0x64, 0xFF, 0x9B]) {
            return isZero(4..<12) ? classify4(Array(bytes[12...])) : .never
        }
        if bytes.starts(with: [0x20, 0x02]) { return classify4(Array(bytes[2..<6])) }
        // ISATAP.
        if bytes[8] & 0xFD == 0, bytes[9] == 0, bytes[10] == 0x5E, bytes[11] == 0xFE {
            return classify4(Array(bytes[12...]))
        }
        // Teredo goes through servers of its own.
        if bytes.starts(with: [0x20, 0x01, 0, 0]) { return .never }
        if metadata6.contains(where: { bytes.starts(with: $0) }) { return .never }
        switch (bytes[0], bytes[1]) {
        case (0xFE, 0xC0...0xFF): return .inner
        case (0xFC...0xFD, _): return .inner
        case (0x20...0x3F, _): return .global
        // Multicast, link-local, and what is not handed out.
        default: return .never
        }
    }

    /// The beginnings of addresses within the private range at which clouds keep their metadata.
    private static let metadata6: [[UInt8]] = [
        // Amazon: fd00:ec2::/32.
        [0xFD, 0x00, 0x0E, 0xC2],
        // Google: fd20:ce::254.
        [0xFD, 0x20, 0x00, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54],
        // Oracle: fd00:c1::a9fe:a9fe.
        [0xFD, 0x00, 0x00, 0xC1, 0, 0, 0, 0, 0, 0, 0, 0, 0xA9, 0xFE, 0xA9, 0xFE],
        // Akamai: fd00:a9fe:a9fe::1.
        [0xFD, 0x00, 0xA9, 0xFE, 0xA9, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01],
        // Scaleway: fd00:42::42.
        [0xFD, 0x00, 0x00, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42],
    ]
}
