import COpenSSL

/// A private key: on the curve P-256 where we make it, any that libcrypto reads where others did.
///
/// P-256 and not Ed25519, because both ends take it for TLS as they come: BoringSSL, which serves
/// our TLS, does not offer to verify Ed25519 unless told to.
///
/// Invariant that makes it safe to share: the handle is never changed after `init`, and libcrypto
/// counts its users atomically.
package final class PrivateKey: @unchecked Sendable {
    let handle: OpaquePointer

    private init(owning handle: OpaquePointer) { self.handle = handle }

    deinit { EVP_PKEY_free(handle) }

    /// - Throws: ``CertificateError`` when libcrypto has no entropy or memory.
    package static func generate() throws(CertificateError) -> PrivateKey {
        guard let key = copenssl_p256_key() else { throw .libcrypto("make a key") }
        return PrivateKey(owning: key)
    }

    /// The first private key in a text of PEM blocks. One that asks for a passphrase is refused.
    ///
    /// - Throws: ``CertificateError`` when there is none.
    package init(pem: [UInt8]) throws(CertificateError) {
        // Without a callback libcrypto would ask on the terminal.
        let noPassphrase:
            @convention(c) (
                UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?
            ) -> Int32 = { _, _, _, _ in -1 }
        let key = readByLibcrypto(pem) { PEM_read_bio_PrivateKey($0, nil, noPassphrase, nil) }
        guard let key else {
            ERR_clear_error()
            throw CertificateError(
                "there is no private key in PEM form without a passphrase",
                remedy: "name a file that begins its key with '-----BEGIN PRIVATE KEY-----'")
        }
        handle = key
    }

    /// PKCS #8 in PEM form, not encrypted: the file's mode protects it.
    package func pem() throws(CertificateError) -> [UInt8] {
        let bytes = writtenByLibcrypto {
            PEM_write_bio_PKCS8PrivateKey($0, handle, nil, nil, 0, nil, nil) == 1
        }
        guard let bytes else { throw .libcrypto("write a key") }
        return bytes
    }
}
