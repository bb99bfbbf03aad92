import COpenSSL

/// A small authority of one's own: signs certificates for machines and people.
package struct CertificateAuthority: Sendable {
    package let certificate: Certificate
    private let key: PrivateKey

    /// Clocks of other machines may be behind: certificates begin so many seconds in the past.
    package static let skewSeconds: Int64 = 300

    /// - Throws: ``CertificateError`` when they do not belong together, or it is no authority.
    package init(certificate: Certificate, key: PrivateKey) throws(CertificateError) {
        guard certificate.matches(key) else {
            throw CertificateError(
                "the authority's key is not the one that its certificate speaks of",
                remedy: "put the two files of one 'continuity pki init' together")
        }
        guard certificate.isAuthority else {
            throw CertificateError(
                "the certificate is no authority's", remedy: "name the one of 'pki init'")
        }
        self.certificate = certificate
        self.key = key
    }

    /// Makes a new authority.
    ///
    /// - Parameters:
    ///   - validity: Seconds since 1970.
    package static func make(
        name: String, validity: Range<Int64>
    ) throws(CertificateError) -> (authority: CertificateAuthority, key: PrivateKey) {
        let key = try PrivateKey.generate()
        let certificate = try sign(
            subject: name, publicKey: key, validity: validity, issuer: nil, issuerKey: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
            ])
        return (try CertificateAuthority(certificate: certificate, key: key), key)
    }

    /// Signs a certificate that may act as a TLS server and as a client.
    ///
    /// - Parameter validity: Seconds since 1970. Cut at the authority's own end.
    /// - Throws: ``CertificateError`` when a name cannot stand in a certificate.
    package func issue(
        names: [SubjectName], for publicKey: PrivateKey, validity: Range<Int64>
    ) throws(CertificateError) -> Certificate {
        guard let first = names.first else {
            throw CertificateError(
                "the certificate would name nobody", remedy: "give it at least one name")
        }
        for name in names { try name.validate() }
        let end = min(validity.upperBound, certificate.notAfter)
        guard validity.lowerBound < end else {
            throw CertificateError(
                "the authority itself ends before the certificate would begin",
                remedy: "make a new authority with 'continuity pki init'")
        }
        return try Self.sign(
            subject: first.text, publicKey: publicKey, validity: validity.lowerBound..<end,
            issuer: certificate, issuerKey: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth,clientAuth"),
                (NID_subject_alt_name, names.map(\.description).joined(separator: ",")),
                (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid:always"),
            ])
    }

    // MARK: libcrypto

    private static func sign(
        subject: String, publicKey: PrivateKey, validity: Range<Int64>, issuer: Certificate?,
        issuerKey: PrivateKey, extensions: [(nid: Int32, value: String)]
    ) throws(CertificateError) -> Certificate {
        guard let made = X509_new() else { throw .libcrypto("make a certificate") }
        // Frees it when an error is thrown.
        let unfinished = Unfinished(handle: made)
        // 16 random bytes, the first bit clear and the first byte not zero: positive and minimal.
        var serial = randomBytes(16)
        serial[0] = serial[0] & 0x3F | 0x40
        let number = BN_bin2bn(serial, Int32(serial.count), nil)
        defer { BN_free(number) }
        // The subject is for people alone, and X.509 bounds it; names stand in the subjectAltName.
        let common = String(subject.prefix(64))
        // MBSTRING_UTF8.
        let utf8: Int32 = 0x1000
        let isSet =
            X509_set_version(made, 2) == 1
            && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made)) != nil
            && ASN1_TIME_set(X509_getm_notBefore(made), time_t(validity.lowerBound)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(made), time_t(validity.upperBound)) != nil
            && X509_NAME_add_entry_by_txt(
                X509_get_subject_name(made), "CN", utf8, Array(common.utf8),
                Int32(common.utf8.count), -1, 0) == 1
            && X509_set_issuer_name(made, X509_get_subject_name(issuer?.handle ?? made)) == 1
            && X509_set_pubkey(made, publicKey.handle) == 1
        guard isSet else { throw .libcrypto("fill in a certificate") }
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer?.handle ?? made, made, nil, nil, 0)
        for (nid, value) in extensions {
            guard let item = X509V3_EXT_conf_nid(nil, &context, nid, value) else {
                throw .libcrypto("write '\(value)' into a certificate")
            }
            defer { X509_EXTENSION_free(item) }
            guard X509_add_ext(made, item, -1) == 1 else {
                throw .libcrypto("fill in a certificate")
            }
        }
        guard X509_sign(made, issuerKey.handle, EVP_sha256()) > 0 else {
            throw .libcrypto("sign a certificate")
        }
        return Certificate(owning: unfinished.take())
    }

    private final class Unfinished {
        private let handle: OpaquePointer
        private var isTaken = false

        init(handle: OpaquePointer) { self.handle = handle }
        deinit { if !isTaken { X509_free(handle) } }

        func take() -> OpaquePointer {
            isTaken = true
            return handle
        }
    }
}
