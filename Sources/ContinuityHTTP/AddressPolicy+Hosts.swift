import Dispatch
import Glibc

extension AddressPolicy {
    /// What a host is known to lead to before any request.
    package enum Verdict: Hashable, Sendable {
        case allowed
        /// An address that stands in the way, as text.
        case refused(address: String)
        /// A name that nobody knows.
        case unresolved
    }

    /// Judges what needs no name server: an address, or a name of this machine.
    ///
    /// - Returns: `nil` for a name, whose addresses only a look-up can tell.
    package func verdict(literal host: String) -> Verdict? {
        let name = host.lowercased().hasSuffix(".") ? String(host.lowercased().dropLast()) : host
        let isLocal = name.lowercased() == "localhost" || name.lowercased().hasSuffix(".localhost")
        guard let bytes = isLocal ? [127, 0, 0, 1] : Self.bytes(name) else { return nil }
        return allows(bytes) ? .allowed : .refused(address: host)
    }

    /// Looks the host up as a request would, and connects to nothing. It is allowed when one of its
    /// addresses is: libcurl tries them in turn.
    package func verdict(resolving host: String) async -> Verdict {
        if let verdict = verdict(literal: host) { return verdict }
        // The resolver waits for name servers: on a thread that may be kept.
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: lookUp(host)) }
        }
    }

    private func lookUp(_ host: String) -> Verdict {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return .unresolved }
        defer { freeaddrinfo(list) }
        var refused: String?
        var entry = list
        while let current = entry?.pointee {
            if let bytes = Self.bytes(of: current) {
                if allows(bytes) { return .allowed }
                refused = refused ?? Self.text(bytes)
            }
            entry = current.ai_next
        }
        return refused.map { .refused(address: $0) } ?? .unresolved
    }

    private static func bytes(of entry: addrinfo) -> [UInt8]? {
        guard let address = entry.ai_addr else { return nil }
        switch entry.ai_family {
        case AF_INET:
            return UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.bytes
        case AF_INET6:
            return UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_addr.bytes
        default: return nil
        }
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return four.bytes }
        var six = in6_addr()
        return inet_pton(AF_INET6, text, &six) == 1 ? six.bytes : nil
    }

    private static func text(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension in_addr {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}

extension in6_addr {
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}
