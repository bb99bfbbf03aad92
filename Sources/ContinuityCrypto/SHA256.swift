import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    package static let digestBytes = 32

    /// The 32 bytes of the digest over `bytes`.
    package static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { digest($0) }
    }

    /// The 32 bytes of the digest over `bytes`.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: digestBytes) { output, count in
            let result = EVP_Digest(
                bytes.baseAddress, bytes.count, output.baseAddress, nil, algorithm, nil)
            precondition(result == 1, "libcrypto could not compute SHA-256: out of memory?")
            count = digestBytes
        }
    }

    /// Fetched once: OpenSSL 3's one-shot `SHA256()` looks the algorithm up by name on each call.
    ///
    /// Invariant that makes it safe to share: an `EVP_MD` is immutable once fetched, and this one
    /// lives as long as the process.
    private nonisolated(unsafe) static let algorithm: OpaquePointer = {
        guard let fetched = EVP_MD_fetch(nil, "SHA256", nil) else {
            preconditionFailure(
                "libcrypto offers no SHA-256: check its configuration (openssl.cnf)")
        }
        return fetched
    }()
}
