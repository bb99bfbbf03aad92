import ContinuityHTTP
import HTTPTypes
import Hummingbird
import Logging
import Testing

/// The signatures that AWS publishes for its test requests (`aws-sig-v4-test-suite`): the same key,
/// day, host and service, and what must come out. The date is given, as it is in the suite.
@Suite("AWS's own signature vectors")
struct AWSVectorTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let name: String
        let method: String
        var headers: [HTTPHeader] = []
        var body = ""
        let signature: String
        var testDescription: String { name }
    }

    static let vectors = [
        Vector(
            name: "get-vanilla", method: "GET",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector(
            name: "post-vanilla", method: "POST",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Vector(
            name: "post-x-www-form-urlencoded", method: "POST",
            headers: [
                HTTPHeader(name: "Content-Type", value: "application/x-www-form-urlencoded")
            ], body: "Param1=value1",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ]

    @Test("what is sent carries the published signature", arguments: vectors)
    func vector(_ vector: Vector) async throws {
        let seen = Events<String>()
        let router = Router(context: LoopbackContext.self)
        for method in [HTTPTypes.HTTPRequest.Method.get, .post] {
            router.on("/", method: method) { request, _ in
                seen.add(request.headers[.authorization] ?? "")
                return HTTPTypes.HTTPResponse.Status.ok
            }
        }
        try await withServer(router) { port in
            let client = HTTPClient(maxConcurrent: 1)
            defer { client.shutdown() }
            var request = ContinuityHTTP.HTTPRequest(
                method: vector.method, url: "http://127.0.0.1:\(port)/",
                headers: HTTPHeaders(
                    [
                        HTTPHeader(name: "Host", value: "example.amazonaws.com"),
                        HTTPHeader(name: "X-Amz-Date", value: "20150830T123600Z"),
                    ] + vector.headers), body: Array(vector.body.utf8))
            request.aws = AWSSignature(
                region: "us-east-1", service: "service", accessKeyID: "AKIDEXAMPLE",
                secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
            _ = try await client.send(request)
        }
        let authorization = try #require(await seen.next())
        #expect(
            authorization.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"))
        #expect(authorization.hasSuffix("Signature=\(vector.signature)"), "\(authorization)")
    }
}
