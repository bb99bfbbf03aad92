import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import ContinuityHooks
import Foundation
import Synchronization
import Testing

/// A real TLS server (`openssl s_server`) with a certificate of our own authority.
@Suite("TLS and pins", .serialized)
struct TLSTests {
    private func shell(_ arguments: [String], in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }

    @Test("certificates are verified, and a pin must fit the key")
    func pins() async throws {
        let harness = try BrokerHarness()
        defer { harness.remove() }
        try shell(
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            ], in: harness.folder)
        try shell(
            ["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "spki.der"],
            in: harness.folder)
        let spki = try Data(contentsOf: URL(fileURLWithPath: harness.folder + "/spki.der"))
        let pin = Data(SHA256.digest(Array(spki))).base64EncodedString()
        let other = Data(repeating: 1, count: 32).base64EncodedString()
        let port = try freePort()
        let daemon = try Daemon(
            [
                "/usr/bin/openssl", "s_server", "-quiet", "-www", "-accept", "127.0.0.1:\(port)",
                "-cert", harness.folder + "/cert.pem", "-key", harness.folder + "/key.pem",
            ], log: harness.folder + "/tls.log")
        func code(_ extra: String) async throws -> String {
            let outcome = try await harness.run(
                """
                local r, _, code = ctx.http.get("https://localhost:\(port)/")
                return { code = code or tostring(r.status) }
                """,
                grant:
                    "{http: [{hosts: ['localhost:\(port)'], paths: ['/*'], allow_private: true\(extra)}]}"
            )
            return outcome.value["code"]?.string ?? "\(outcome)"
        }
        let ca = ", ca_file: \(harness.folder)/cert.pem"
        try await daemon.ready { try await code(ca) == "200" }
        #expect(try await code("") == "tls", "nobody trusts this certificate")
        #expect(try await code(ca + ", pins: ['\(pin)']") == "200")
        #expect(try await code(ca + ", pins: ['\(other)']") == "tls")
        #expect(try await code(", pins: ['\(pin)']") == "tls", "a pin is no trust")
    }

    @Test("a signature of AWS's kind is right, and the key stays here")
    func signature() async throws {
        let seen = Mutex("")
        try await withEchoServer(seen: { text in seen.withLock { $0 = text } }) { port in
            let key = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
            let harness = try BrokerHarness(secrets: [
                ("id", "AKIDEXAMPLE", "127.0.0.1"), ("key", key, "127.0.0.1"),
            ])
            defer { harness.remove() }
            let outcome = try await harness.run(
                """
                local r = ctx.http.post("http://127.0.0.1:\(port)/echo/rrset", {
                    headers = { ["content-type"] = "application/xml" }, body = "<x/>" })
                return { body = r.body }
                """,
                grant: """
                    {http: [{hosts: ['http://127.0.0.1:\(port)'], methods: [POST], paths: ['/*'], allow_private: true,
                      aws: {service: route53, region: us-east-1, access_key_secret: id, secret_key_secret: key}}]}
                    """)
            // The echo holds the key's id, which is a secret too: the script gets none of it.
            #expect(outcome.value["body"] == "", "\(outcome)")
            let body = seen.withLock { $0 }
            #expect(!body.contains(key))
            try Self.check(body, key: key)
        }
    }

    /// Computes the signature anew from what the server saw.
    private static func check(_ seen: String, key: String) throws {
        var headers: [String: String] = [:]
        for line in seen.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
        let authorization = try #require(headers["authorization"], "\(seen)")
        func part(_ name: String) throws -> String {
            let start = try #require(authorization.firstRange(of: name + "="), "\(authorization)")
            return String(authorization[start.upperBound...].prefix { $0 != "," && $0 != " " })
        }
        let date = try #require(headers["x-amz-date"])
        let day = String(date.prefix(8))
        let signed = try part("SignedHeaders").split(separator: ";").map(String.init)
        var lines = ["POST", "/echo/rrset", ""]
        for name in signed { lines.append("\(name):\(try #require(headers[name], "\(name)"))") }
        let bodyHash = hexString(SHA256.digest(Array("<x/>".utf8)))
        lines += ["", signed.joined(separator: ";"), bodyHash]
        let scope = "\(day)/us-east-1/route53/aws4_request"
        let request = hexString(SHA256.digest(Array(lines.joined(separator: "\n").utf8)))
        let text = ["AWS4-HMAC-SHA256", date, scope, request].joined(separator: "\n")
        var derived = Array(("AWS4" + key).utf8)
        for step in [day, "us-east-1", "route53", "aws4_request"] {
            derived = HMACSHA256.authenticate(Array(step.utf8), key: derived)
        }
        #expect(
            try part("Signature")
                == hexString(HMACSHA256.authenticate(Array(text.utf8), key: derived))
        )
    }
}
