import COpenSSL

/// Why a key or a certificate cannot be used or made. Names files at most, never key material.
package struct CertificateError: Error, Hashable, Sendable, CustomStringConvertible {
    package let message: String
    package let remedy: String

    package init(_ message: String, remedy: String) {
        self.message = message
        self.remedy = remedy
    }

    package var description: String { "\(message); \(remedy)" }

    /// libcrypto's last reason, and its queue is empty afterwards.
    static func libcrypto(_ what: String) -> CertificateError {
        let code = ERR_get_error()
        ERR_clear_error()
        let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "out of memory?"
        return CertificateError(
            "libcrypto could not \(what): \(reason)", remedy: "check the file and its format")
    }
}

/// Runs a body with a memory buffer of libcrypto's and returns what was written to it.
func writtenByLibcrypto(_ body: (OpaquePointer) -> Bool) -> [UInt8]? {
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(bio) }
    guard body(bio) else { return nil }
    let length = Int(copenssl_bio_length(bio))
    return [UInt8](unsafeUninitializedCapacity: length) { output, count in
        count = max(0, Int(BIO_read(bio, output.baseAddress, Int32(length))))
    }
}

/// Runs a body with bytes as libcrypto reads them.
func readByLibcrypto<Value>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Value?) -> Value? {
    bytes.withUnsafeBytes { buffer in
        guard let bio = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else { return nil }
        defer { BIO_free(bio) }
        return body(bio)
    }
}
