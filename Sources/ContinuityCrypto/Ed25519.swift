import COpenSSL

/// What is wrong with a key.
package struct KeyError: Error, CustomStringConvertible {
    package let description: String
}

/// Ed25519 (RFC 8032), with keys in PEM as OpenSSL and every other tool reads them.
package enum Ed25519 {
    package static let signatureBytes = 64

    /// Owns one `EVP_PKEY`.
    ///
    /// Invariant that makes it safe to share: the key is never changed after it was read, and
    /// libcrypto counts references atomically.
    fileprivate final class Handle: @unchecked Sendable {
        let key: OpaquePointer

        init(_ key: OpaquePointer) { self.key = key }
        deinit { EVP_PKEY_free(key) }
    }

    package struct PublicKey: Sendable {
        fileprivate let handle: Handle

        /// - Throws: ``KeyError`` when the text holds no Ed25519 public key in PEM.
        package init(pem: String) throws(KeyError) {
            handle = try Ed25519.read(pem, "PUBLIC KEY") { PEM_read_bio_PUBKEY($0, nil, nil, nil) }
        }

        /// SubjectPublicKeyInfo in PEM.
        package var pem: String { Ed25519.write { PEM_write_bio_PUBKEY($0, handle.key) } }

        /// SHA-256 over the key's DER form, the first 16 hexadecimal digits.
        package var id: String {
            var pointer: UnsafeMutablePointer<UInt8>?
            let count = i2d_PUBKEY(handle.key, &pointer)
            precondition(count > 0, "libcrypto could not encode a public key: out of memory?")
            defer { CRYPTO_free(pointer, #file, #line) }
            let der = UnsafeRawBufferPointer(start: pointer, count: Int(count))
            return String(hexString(SHA256.digest(der)).prefix(16))
        }

        package func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool {
            guard signature.count == signatureBytes, let context = EVP_MD_CTX_new() else {
                return false
            }
            defer { EVP_MD_CTX_free(context) }
            return EVP_DigestVerifyInit(context, nil, nil, nil, handle.key) == 1
                && EVP_DigestVerify(
                    context, signature, signature.count, message, message.count) == 1
        }
    }

    package struct PrivateKey: Sendable {
        private let handle: Handle
        package let publicKey: PublicKey

        /// A new key from libcrypto's generator.
        package init() {
            var key: OpaquePointer?
            let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
            defer { EVP_PKEY_CTX_free(context) }
            let isMade =
                EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &key) == 1
            guard isMade, let key else {
                preconditionFailure("libcrypto could not make an Ed25519 key: is it allowed to?")
            }
            let handle = Handle(key)
            self.handle = handle
            publicKey = PublicKey(handle)
        }

        /// - Throws: ``KeyError`` when the text holds no Ed25519 private key in PEM.
        package init(pem: String) throws(KeyError) {
            handle = try Ed25519.read(pem, "PRIVATE KEY") {
                PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in 0 }, nil)
            }
            publicKey = PublicKey(handle)
        }

        /// PKCS #8 in PEM, not encrypted: the file's permissions protect it.
        package var pem: String {
            Ed25519.write { PEM_write_bio_PKCS8PrivateKey($0, handle.key, nil, nil, 0, nil, nil) }
        }

        package func sign(_ message: [UInt8]) -> [UInt8] {
            [UInt8](unsafeUninitializedCapacity: signatureBytes) { output, count in
                let context = EVP_MD_CTX_new()
                defer { EVP_MD_CTX_free(context) }
                count = signatureBytes
                let isSigned =
                    EVP_DigestSignInit(context, nil, nil, nil, handle.key) == 1
                    && EVP_DigestSign(
                        context, output.baseAddress, &count, message, message.count) == 1
                precondition(isSigned, "libcrypto could not sign: out of memory?")
            }
        }
    }

    private static func read(
        _ pem: String, _ what: String, _ body: (OpaquePointer?) -> OpaquePointer?
    ) throws(KeyError) -> Handle {
        // libcrypto reads the bytes where they are: they must live for as long as it reads.
        let read = Array(pem.utf8).withUnsafeBytes { bytes in
            let input = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            defer { BIO_free(input) }
            return body(input)
        }
        guard let key = read else {
            throw KeyError(description: "holds no \(what) in PEM")
        }
        let handle = Handle(key)
        guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
            throw KeyError(description: "holds a key, but none of Ed25519")
        }
        return handle
    }

    private static func write(_ body: (OpaquePointer?) -> Int32) -> String {
        let output = BIO_new(BIO_s_mem())
        defer { BIO_free(output) }
        precondition(body(output) == 1, "libcrypto could not write a key: out of memory?")
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = BIO_read(output, &buffer, Int32(buffer.count))
        return String(decoding: buffer.prefix(max(0, Int(count))), as: UTF8.self)
    }
}

extension Ed25519.PublicKey {
    fileprivate init(_ handle: Ed25519.Handle) { self.handle = handle }
}

/// The bytes of hexadecimal digits; `nil` where the text is anything else.
package func hexBytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = value(digits[index]), let low = value(digits[index + 1]) else {
            return nil
        }
        bytes.append(high << 4 | low)
    }
    return bytes
}
