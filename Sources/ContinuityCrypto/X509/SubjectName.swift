import Glibc

/// A name in a certificate's subjectAltName: what it may be called by, and who it is.
package enum SubjectName: Hashable, Sendable, CustomStringConvertible {
    case dns(String)
    /// An address as text; IPv6 without brackets.
    case ip(String)
    case uri(String)

    /// As `openssl` writes and reads it.
    package var description: String {
        switch self {
        case .dns(let name): "DNS:\(name)"
        case .ip(let address): "IP:\(address)"
        case .uri(let uri): "URI:\(uri)"
        }
    }

    var text: String {
        switch self {
        case .dns(let text), .ip(let text), .uri(let text): text
        }
    }

    /// Refuses what libcrypto would read as something else: a comma begins another name.
    func validate() throws(CertificateError) {
        let isPlain =
            !text.isEmpty && text.utf8.count <= 512
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !",;\"\\".utf8.contains($0) }
        let isValid =
            switch self {
            case .dns(let name):
                name.utf8.allSatisfy {
                    UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
                        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || "-._*".utf8.contains($0)
                }
            case .ip(let address): Self.bytes(ofAddress: address) != nil
            case .uri(let uri): uri.contains("://")
            }
        guard isPlain, isValid else {
            throw CertificateError(
                "'\(text)' cannot stand in a certificate as \(description.prefix { $0 != ":" })",
                remedy: "write a host name, an IP address, or a URI such as "
                    + "continuity://agent/orders/node-1, in ASCII without spaces and commas")
        }
    }

    private static func bytes(ofAddress text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
        if inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
        return nil
    }

    static func address(_ bytes: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : bytes.count == 16 ? AF_INET6 : -1
        guard family != -1, inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
