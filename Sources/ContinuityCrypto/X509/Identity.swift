/// Who a certificate says that its holder is: the first name in it of a form that we know.
///
/// `continuity://serve/INSTANCE`, `continuity://agent/CLUSTER/NODE`, `continuity://person/NAME`,
/// or any other URI (a SPIFFE ID, say), which means what a configuration says it means.
package enum Identity: Hashable, Sendable, CustomStringConvertible {
    case serve(String)
    case agent(cluster: String, node: String)
    case person(String)
    case other(String)

    package static let scheme = "continuity://"

    /// `nil`: the URI begins with our scheme and is none of our forms, or is no URI.
    package init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else {
            guard uri.contains("://") else { return nil }
            self = .other(uri)
            return
        }
        let parts = uri.dropFirst(Self.scheme.count)
            .split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy(Self.isPlain) else { return nil }
        switch (parts.first, parts.count) {
        case ("serve", 2): self = .serve(parts[1])
        case ("agent", 3): self = .agent(cluster: parts[1], node: parts[2])
        case ("person", 2): self = .person(parts[1])
        default: return nil
        }
    }

    /// `nil`: the certificate names none, or several, which would let its holder choose.
    package init?(certificate: Certificate) {
        let uris = certificate.names.compactMap { name in
            if case .uri(let uri) = name { uri } else { nil }
        }
        guard uris.count == 1, let identity = Identity(uri: uris[0]) else { return nil }
        self = identity
    }

    package var description: String {
        switch self {
        case .serve(let instance): "\(Self.scheme)serve/\(instance)"
        case .agent(let cluster, let node): "\(Self.scheme)agent/\(cluster)/\(node)"
        case .person(let name): "\(Self.scheme)person/\(name)"
        case .other(let uri): uri
        }
    }

    /// Whether a name can stand in an identity as it is.
    package static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~@+".utf8.contains(byte)
                }
            }
    }
}
