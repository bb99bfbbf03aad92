import Foundation

/// What a configuration may pin a peer to: SHA-256 over its public key, written
/// `sha256/BASE64`, as curl and browsers have it.
package struct Pin: Hashable, Sendable, CustomStringConvertible {
    private static let prefix = "sha256/"

    /// In Base64.
    package let base64: String

    package init(of certificate: Certificate) {
        base64 = Data(certificate.keyDigest).base64EncodedString()
    }

    /// `nil`: not of this form.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let encoded = String(text.dropFirst(Self.prefix.count))
        guard Data(base64Encoded: encoded)?.count == SHA256.digestBytes else { return nil }
        base64 = encoded
    }

    package var description: String { Self.prefix + base64 }
}
