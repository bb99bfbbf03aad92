import Glibc
import Synchronization

/// The texts of expected identities, for libcurl's contexts, which live as long as a connection.
enum ExpectedIdentities {
    /// Grows with the configured identities alone, and is never freed: a connection may outlive
    /// every request that named it.
    private static let texts = Mutex<[String: Lasting]>([:])

    /// Invariant that makes it safe to share: the bytes are written once, before it is made.
    private struct Lasting: @unchecked Sendable { let pointer: UnsafePointer<CChar> }

    static func lasting(_ identity: String) -> UnsafePointer<CChar> {
        texts.withLock { texts in
            if let known = texts[identity] { return known.pointer }
            guard let copy = strdup(identity) else { preconditionFailure("out of memory") }
            texts[identity] = Lasting(pointer: UnsafePointer(copy))
            return UnsafePointer(copy)
        }
    }
}
