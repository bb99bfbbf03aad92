import COpenSSL

/// HMAC with SHA-256 (RFC 2104).
package enum HMACSHA256 {
    /// The 32 bytes of the authentication code over `message`. A key of any length is taken.
    package static func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: SHA256.digestBytes) { output, count in
            // A null key pointer means "keep the earlier key" to libcrypto: hand it a real one.
            let heldKey = key.isEmpty ? [0] : key
            let result = EVP_Q_mac(
                nil, "HMAC", nil, "SHA256", nil, heldKey, key.count,
                message, message.count, output.baseAddress, SHA256.digestBytes, &count)
            precondition(
                result != nil && count == SHA256.digestBytes,
                "libcrypto could not compute HMAC-SHA-256: out of memory?")
        }
    }
}
