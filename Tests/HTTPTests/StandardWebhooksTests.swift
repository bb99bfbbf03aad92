import ContinuityHTTP
import Foundation
import Testing

@testable import ContinuityAlerts

/// The test vector that the libraries of the specification share.
@Suite struct StandardWebhooksTests {
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    let timestamp: Int64 = 1_614_265_330
    let body = Array(#"{"test": 2432232314}"#.utf8)
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    let secret: WebhookSecret

    init() throws { secret = try WebhookSecret(parsing: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") }

    private func headers(signature: String? = nil) -> HTTPHeaders {
        [
            "Webhook-Id": id, "Webhook-Timestamp": String(timestamp),
            "Webhook-Signature": signature ?? self.signature,
        ]
    }

    private func verify(
        _ headers: HTTPHeaders, body: [UInt8]? = nil, at nowSeconds: Int64? = nil
    ) -> WebhookVerificationError? {
        do {
            try StandardWebhooks.verify(
                headers: headers, body: body ?? self.body, secret: secret,
                nowSeconds: nowSeconds ?? timestamp)
            return nil
        } catch {
            return error
        }
    }

    @Test func signsTheVectorOfTheSpecification() {
        let value = StandardWebhooks.sign(
            id: id, timestampSeconds: timestamp, body: body, secret: secret)
        #expect(value == signature)
        #expect(verify(headers()) == nil)
    }

    @Test func oneRightSignatureOfSeveralIsEnough() {
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
        #expect(verify(headers(signature: "\(wrong) v1a,AAAA v1,%% \(signature)")) == nil)
        #expect(verify(headers(signature: wrong)) == .noMatchingSignature)
    }

    @Test func whatWasChangedIsRefused() {
        #expect(verify(headers(), body: body + [0x20]) == .noMatchingSignature)
        var changed = headers()
        changed["webhook-id"] = "msg_other"
        #expect(verify(changed) == .noMatchingSignature)
        changed = headers()
        changed["webhook-timestamp"] = String(timestamp + 1)
        #expect(verify(changed) == .noMatchingSignature)
        #expect(verify(headers(signature: String(signature.dropLast(4)))) == .noMatchingSignature)
        #expect(verify(headers(signature: "v2" + signature.dropFirst(2))) == .noMatchingSignature)
        #expect(verify(headers(signature: "v1,")) == .noMatchingSignature)
    }

    @Test func theTimestampMustBeFresh() {
        #expect(verify(headers(), at: timestamp + 300) == nil)
        #expect(verify(headers(), at: timestamp + 301) == .tooOld)
        #expect(verify(headers(), at: timestamp - 300) == nil)
        #expect(verify(headers(), at: timestamp - 301) == .tooNew)
        var changed = headers()
        changed["webhook-timestamp"] = " \(timestamp)"
        #expect(verify(changed) == .malformedTimestamp)
        changed["webhook-timestamp"] = String(Int64.min)
        #expect(verify(changed) == .tooOld)
    }

    @Test(arguments: ["webhook-id", "webhook-timestamp", "webhook-signature"])
    func everyHeaderIsNeeded(name: String) {
        var changed = headers()
        changed[name] = nil
        #expect(verify(changed) == .missingHeader)
    }

    @Test(arguments: [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with 'whsec_'"),
        ("whsec_not*base64", "is not base64"), ("whsec_c2hvcnQ=", "has 5 bytes"),
        ("whsec_", "has 0 bytes"),
    ])
    func aMalformedSecretIsExplainedWithoutTellingIt(text: String, message: String) {
        let error = #expect(throws: WebhookSecretError.self) { try WebhookSecret(parsing: text) }
        #expect(error?.message.contains(message) == true)
        #expect(error?.description.contains("c2hvcnQ") == false)
    }

    @Test func aSecretShowsNowhere() {
        #expect("\(secret)" == "whsec_(hidden)")
        #expect(String(reflecting: secret) == "whsec_(hidden)")
        var text = ""
        dump(secret, to: &text)
        #expect(!text.contains("49"))
    }

    @Test func aSecretFileMustNotBeOpenToEveryone() throws {
        let file = FileManager.default.temporaryDirectory.appending(
            path: "continuity-secret-\(UUID().uuidString)"
        ).path
        defer { try? FileManager.default.removeItem(atPath: file) }
        let text = Data("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".utf8)
        for mode in [0o600, 0o400, 0o440] {
            try? FileManager.default.removeItem(atPath: file)
            #expect(
                FileManager.default.createFile(
                    atPath: file, contents: text, attributes: [.posixPermissions: mode]))
            #expect(try WebhookSecret.load(file: file).key == secret.key)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let open = #expect(throws: WebhookSecretError.self) { try WebhookSecret.load(file: file) }
        #expect(open?.remedy.contains("chmod 600") == true)
        let missing = #expect(throws: WebhookSecretError.self) {
            try WebhookSecret.load(file: file + "-missing")
        }
        #expect(missing?.message.contains("No such file") == true)
        #expect(throws: WebhookSecretError.self) { try WebhookSecret.load(file: "/tmp") }
    }
}
