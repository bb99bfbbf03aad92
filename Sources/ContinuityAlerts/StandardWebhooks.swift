import ContinuityCrypto
package import ContinuityHTTP
import Foundation

/// Signs and verifies webhooks after Standard Webhooks 1.0 (standardwebhooks.com), with its
/// symmetric scheme `v1`: HMAC-SHA-256 over `id.timestamp.body`.
package enum StandardWebhooks {
    package static let idHeader = "webhook-id"
    package static let timestampHeader = "webhook-timestamp"
    package static let signatureHeader = "webhook-signature"

    /// A sender that rotates its secret sends one signature for each; more is no rotation.
    static let maxSignatures = 16

    /// The signature header's value: `v1,` and the code in base64.
    ///
    /// - Parameters:
    ///   - id: The same on each attempt, so that the receiver can recognise a repetition.
    ///   - timestampSeconds: UTC seconds since 1970, of this attempt.
    package static func sign(
        id: String, timestampSeconds: Int64, body: [UInt8], secret: WebhookSecret
    ) -> String {
        "v1," + Data(code(id, String(timestampSeconds), body, secret)).base64EncodedString()
    }

    /// The three headers of one attempt.
    package static func headers(
        id: String, timestampSeconds: Int64, body: [UInt8], secret: WebhookSecret
    ) -> HTTPHeaders {
        [
            idHeader: id,
            timestampHeader: String(timestampSeconds),
            signatureHeader: sign(
                id: id, timestampSeconds: timestampSeconds, body: body, secret: secret),
        ]
    }

    /// Returns when one of the signatures is right and the timestamp is within the tolerance on
    /// either side. Whoever receives keeps the ids it has seen: a replay within it verifies.
    package static func verify(
        headers: HTTPHeaders, body: [UInt8], secret: WebhookSecret, nowSeconds: Int64,
        toleranceSeconds: Int64 = 300
    ) throws(WebhookVerificationError) {
        guard let id = headers[idHeader], let timestamp = headers[timestampHeader],
            let signatures = headers[signatureHeader], !id.isEmpty
        else { throw .missingHeader }
        guard let seconds = Int64(timestamp), String(seconds) == timestamp else {
            throw .malformedTimestamp
        }
        let (age, overflow) = nowSeconds.subtractingReportingOverflow(seconds)
        guard !overflow, age <= toleranceSeconds else { throw .tooOld }
        guard age >= -toleranceSeconds else { throw .tooNew }
        let expected = code(id, timestamp, body, secret)
        for signature in signatures.split(separator: " ").prefix(maxSignatures) {
            guard signature.hasPrefix("v1,"),
                let given = Data(base64Encoded: String(signature.dropFirst(3)))
            else { continue }
            if constantTimeEqual([UInt8](given), expected) { return }
        }
        throw .noMatchingSignature
    }

    private static func code(
        _ id: String, _ timestamp: String, _ body: [UInt8], _ secret: WebhookSecret
    ) -> [UInt8] {
        HMACSHA256.authenticate(Array("\(id).\(timestamp).".utf8) + body, key: secret.key)
    }
}

/// Why a webhook was not accepted.
package enum WebhookVerificationError: String, Error {
    case missingHeader, malformedTimestamp, tooOld, tooNew, noMatchingSignature
}
