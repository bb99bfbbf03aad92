/// A request as `HTTPClient` sends it: HTTP/1.1, no redirects, no proxy.
package struct HTTPRequest: Sendable {
    package var method: String
    /// An absolute `http` or `https` URL.
    package var url: String
    package var headers: HTTPHeaders
    package var body: [UInt8]
    /// From `send` to the last byte of the response, waiting for a free slot included.
    package var timeout: Duration
    /// Name resolution, TCP and TLS; the whole `timeout` bounds it too.
    package var connectTimeout: Duration
    /// A longer body ends the transfer with `HTTPError.Code.tooLarge`.
    package var maxResponseBytes: Int
    /// The status line and the headers are the answer: a body that is too long, too slow or cut off
    /// makes no error, and none of it is kept.
    package var ignoresBody = false
    /// `nil`: any address. Otherwise each address is judged after the name was resolved, when the
    /// connection is about to be made, and no connection is shared with other requests.
    package var addressPolicy: AddressPolicy?
    /// SHA-256 of the public keys (SPKI) of which the server must have one, in Base64. Certificates
    /// are verified all the same.
    package var pins: [String] = []
    /// Trusted authorities (PEM) in place of the system's.
    package var caFile: String?
    package var aws: AWSSignature?
    /// Who we are to the other side, and what it must be: TLS 1.3 with certificates on both ends.
    package var credentials: TLSCredentials?

    package init(
        method: String = "GET", url: String, headers: HTTPHeaders = [], body: [UInt8] = [],
        timeout: Duration = .seconds(10), connectTimeout: Duration = .seconds(3),
        maxResponseBytes: Int = 1 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.maxResponseBytes = maxResponseBytes
    }
}

/// A machine's own certificate, and whom it takes for whom it says it is.
///
/// The files are read for each new connection, so that a renewal needs no restart. Requests to one
/// host and port expect one identity: a kept connection is not asked again.
package struct TLSCredentials: Hashable, Sendable {
    package var certificateFile: String
    package var keyFile: String
    package var authorityFile: String
    /// The one URI of the other side's certificate; all that begin with it, where it ends in `/`.
    package var expectedIdentity: String?

    package init(
        certificateFile: String, keyFile: String, authorityFile: String,
        expectedIdentity: String? = nil
    ) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.authorityFile = authorityFile
        self.expectedIdentity = expectedIdentity
    }
}

/// Has libcurl sign the request (AWS Signature Version 4).
package struct AWSSignature: Sendable {
    package var region: String
    package var service: String
    package var accessKeyID: String
    package var secretAccessKey: String

    package init(region: String, service: String, accessKeyID: String, secretAccessKey: String) {
        self.region = region
        self.service = service
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }
}

extension HTTPRequest {
    /// Scheme, host and port of the URL: what an error may name without telling a secret. User
    /// names, paths and query strings hold tokens often enough.
    package var origin: String {
        guard let scheme = url.firstRange(of: "://") else { return "the URL" }
        let authority = url[scheme.upperBound...].prefix { !"/?#\\".contains($0) }
        let host = authority.split(separator: "@").last ?? ""
        return "\(url[..<scheme.lowerBound])://\(host)"
    }

    /// Refuses what libcurl would send as something else than it says: a line break in a header
    /// starts another header.
    package func validate() throws(HTTPError) {
        let lowercased = url.prefix(8).lowercased()
        guard lowercased.hasPrefix("http://") || lowercased.hasPrefix("https://") else {
            throw HTTPError(.invalidRequest, "the URL must begin with http:// or https://")
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw HTTPError(
                .invalidRequest, "the URL for \(origin) holds white space; percent-encode it")
        }
        guard Self.isToken(method) else {
            throw HTTPError(.invalidRequest, "the method must be a name such as GET or POST")
        }
        for header in headers {
            guard Self.isToken(header.name) else {
                throw HTTPError(.invalidRequest, "a header name for \(origin) is not a token")
            }
            guard header.value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
                throw HTTPError(
                    .invalidRequest, "the header '\(header.name)' holds a control character")
            }
        }
    }

    /// A token of RFC 9110 section 5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
