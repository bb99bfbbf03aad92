import COpenSSL

/// An X.509 certificate, read only.
///
/// Invariant that makes it safe to share: nothing changes the handle after `init`, and libcrypto
/// counts its users atomically.
package final class Certificate: @unchecked Sendable {
    let handle: OpaquePointer
    /// What it may be called by, in its own order.
    package let names: [SubjectName]
    /// Seconds since 1970.
    package let notBefore: Int64
    package let notAfter: Int64

    init(owning handle: OpaquePointer) {
        self.handle = handle
        names = Self.names(of: handle)
        notBefore = Self.seconds(X509_get0_notBefore(handle))
        notAfter = Self.seconds(X509_get0_notAfter(handle))
    }

    deinit { X509_free(handle) }

    /// - Throws: ``CertificateError`` when the bytes are no certificate.
    package convenience init(der: [UInt8]) throws(CertificateError) {
        let read = der.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            return d2i_X509(nil, &position, buffer.count)
        }
        guard let read else { throw .libcrypto("read a certificate") }
        self.init(owning: read)
    }

    /// Every certificate in a text of PEM blocks, in its order; other blocks are passed over.
    ///
    /// - Throws: ``CertificateError`` when there is none.
    package static func all(inPEM pem: [UInt8]) throws(CertificateError) -> [Certificate] {
        var found: [Certificate] = []
        _ =
            readByLibcrypto(pem) { bio in
                // Bounded by the text: each turn reads one block of it.
                while let next = PEM_read_bio_X509(bio, nil, nil, nil) {
                    found.append(Certificate(owning: next))
                }
            } as Void?
        ERR_clear_error()
        guard !found.isEmpty else {
            throw CertificateError(
                "there is no certificate in PEM form",
                remedy: "name a file with a block '-----BEGIN CERTIFICATE-----'")
        }
        return found
    }

    package func pem() throws(CertificateError) -> [UInt8] {
        guard let bytes = writtenByLibcrypto({ PEM_write_bio_X509($0, handle) == 1 }) else {
            throw .libcrypto("write a certificate")
        }
        return bytes
    }

    package var der: [UInt8] {
        var output: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509(handle, &output)
        guard length > 0, let output else { preconditionFailure("libcrypto is out of memory") }
        defer { CRYPTO_free(output, #file, #line) }
        return Array(UnsafeBufferPointer(start: output, count: Int(length)))
    }

    /// SHA-256 over the whole certificate, in hexadecimal: another one for each renewal.
    package var fingerprint: String { hexString(SHA256.digest(der)) }

    /// SHA-256 over the public key (SPKI): what pins name. A renewal that keeps its key keeps it.
    package var keyDigest: [UInt8] {
        var output: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(handle), &output)
        guard length > 0, let output else { preconditionFailure("libcrypto is out of memory") }
        defer { CRYPTO_free(output, #file, #line) }
        return SHA256.digest(UnsafeRawBufferPointer(start: output, count: Int(length)))
    }

    package var subject: String { Self.text(X509_get_subject_name(handle)) }
    package var issuer: String { Self.text(X509_get_issuer_name(handle)) }

    package var serial: String {
        let serial = X509_get0_serialNumber(handle)
        guard let number = ASN1_INTEGER_to_BN(serial, nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { CRYPTO_free(text, #file, #line) }
        return String(cString: text).lowercased()
    }

    package var isAuthority: Bool { X509_check_ca(handle) == 1 }

    /// Whether the key is the one that this certificate speaks of.
    package func matches(_ key: PrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(handle, key.handle) == 1
    }

    /// Whether `authority`'s key has signed it. Says nothing of dates and usages.
    package func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        return X509_verify(handle, X509_get0_pubkey(authority.handle)) == 1
    }

    // MARK: Reading

    private static func names(of handle: OpaquePointer) -> [SubjectName] {
        guard let raw = X509_get_ext_d2i(handle, NID_subject_alt_name, nil, nil) else { return [] }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        return (0..<copenssl_names_count(names)).compactMap { index in
            guard let name = copenssl_name(names, index), let value = copenssl_name_text(name)
            else { return nil }
            let bytes = Array(
                UnsafeBufferPointer(
                    start: ASN1_STRING_get0_data(value), count: Int(ASN1_STRING_length(value))))
            // A zero byte in a name is a trick on readers in C.
            guard !bytes.contains(0) || name.pointee.type == GEN_IPADD else { return nil }
            let text = String(decoding: bytes, as: UTF8.self)
            switch name.pointee.type {
            case GEN_DNS: return .dns(text)
            case GEN_URI: return .uri(text)
            default: return SubjectName.address(bytes).map { .ip($0) }
            }
        }
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }

    private static func text(_ name: OpaquePointer?) -> String {
        let bytes = writtenByLibcrypto {
            copenssl_print_name($0, name) >= 0
        }
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
