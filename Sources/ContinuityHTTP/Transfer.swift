import CCurl
import Glibc

/// One request in progress, confined to the loop's thread.
///
/// libcurl holds an unowned pointer to it while the handle is in the multi handle, and the loop
/// holds the object for that long.
final class Transfer {
    let job: TransferJob
    let handle: UnsafeMutableRawPointer
    private var requestHeaders: UnsafeMutablePointer<curl_slist>?
    private var responseHeaders = HTTPHeaders()
    private var responseHeaderBytes = 0
    private var responseBody: [UInt8] = []
    private var responseBodyBytes = 0
    /// The headers of the final answer are complete.
    private var hasHead = false
    private var isTooLarge = false
    private var hasRefusedAddress = false

    /// Response headers beyond it are no answer to any question of ours.
    private static let maxHeaderBytes = 64 << 10

    init(job: TransferJob, handle: UnsafeMutableRawPointer) {
        self.job = job
        self.handle = handle
    }

    // MARK: Request

    /// Sets up the handle; says why when libcurl refuses the request.
    func configure(remaining: Duration) -> HTTPError? {
        let request = job.request
        let context = Unmanaged.passUnretained(self).toOpaque()
        set(CURLOPT_PRIVATE, context)
        setPolicy()
        set(CURLOPT_TIMEOUT_MS, milliseconds(remaining))
        set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(min(request.connectTimeout, remaining)))
        setBody(request)
        setHeaders(request)
        setRestrictions(request)
        set(CURLOPT_WRITEDATA, context)
        check(ccurl_set_callback(handle, CURLOPT_WRITEFUNCTION, receiveBody))
        set(CURLOPT_HEADERDATA, context)
        check(ccurl_set_callback(handle, CURLOPT_HEADERFUNCTION, receiveHeader))
        guard ccurl_set_text(handle, CURLOPT_URL, request.url) == CURLE_OK else {
            return HTTPError(.invalidRequest, "the URL for \(request.origin) is too long")
        }
        return nil
    }

    /// What holds for every request.
    private func setPolicy() {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_HTTP_VERSION, CLong(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_SSLVERSION, CLong(CURL_SSLVERSION_TLSv1_2))
        // Machines talk to machines they name: a proxy in the environment is not one of them.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_USERAGENT, "continuity")
        // Without it libcurl joins the resolver's thread when a transfer ends early, and one dead
        // name server would stall the heartbeats of everyone else.
        set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setBody(_ request: HTTPRequest) {
        let method = request.method.uppercased()
        switch method {
        case "GET" where request.body.isEmpty: return set(CURLOPT_HTTPGET, 1)
        case "HEAD": return set(CURLOPT_NOBODY, 1)
        case "DELETE" where request.body.isEmpty, "OPTIONS" where request.body.isEmpty: break
        default:
            set(CURLOPT_POST, 1)
            // The size comes first: the copy is taken when the bytes are set.
            check(
                ccurl_set_offset(
                    handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count)))
            // Never null, which would make libcurl read the body from standard input.
            let body = request.body.isEmpty ? [0] : request.body
            body.withUnsafeBytes { set(CURLOPT_COPYPOSTFIELDS, $0.baseAddress) }
        }
        set(CURLOPT_CUSTOMREQUEST, method)
    }

    private func setHeaders(_ request: HTTPRequest) {
        for header in request.headers {
            // libcurl takes "name:" as "leave it out", and "name;" as "send it empty".
            append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        // No round trip for "100 Continue", and no form type that nobody named.
        // The signature covers every line of this list, also those that take a header away.
        guard request.aws == nil else {
            return set(CURLOPT_HTTPHEADER, UnsafeRawPointer(requestHeaders))
        }
        if request.headers["expect"] == nil { append("Expect:") }
        if request.headers["content-type"] == nil { append("Content-Type:") }
        set(CURLOPT_HTTPHEADER, UnsafeRawPointer(requestHeaders))
    }

    private func setRestrictions(_ request: HTTPRequest) {
        // What was checked is what is sent.
        set(CURLOPT_PATH_AS_IS, 1)
        if request.addressPolicy != nil {
            // A kept connection was opened for somebody else, under other rules.
            set(CURLOPT_FRESH_CONNECT, 1)
            set(CURLOPT_FORBID_REUSE, 1)
            set(CURLOPT_OPENSOCKETDATA, Unmanaged.passUnretained(self).toOpaque())
            check(ccurl_set_open_socket(handle, openSocket))
        }
        if !request.pins.isEmpty {
            let pins = request.pins.map { "sha256//\($0)" }.joined(separator: ";")
            set(CURLOPT_PINNEDPUBLICKEY, pins)
        }
        if let file = request.caFile { set(CURLOPT_CAINFO, file) }
        if let credentials = request.credentials { setCredentials(credentials) }
        if let aws = request.aws {
            set(CURLOPT_AWS_SIGV4, "aws:amz:\(aws.region):\(aws.service)")
            set(CURLOPT_USERNAME, aws.accessKeyID)
            set(CURLOPT_PASSWORD, aws.secretAccessKey)
        }
    }

    private func setCredentials(_ credentials: TLSCredentials) {
        set(CURLOPT_SSLVERSION, CLong(CURL_SSLVERSION_TLSv1_3))
        set(CURLOPT_SSLCERT, credentials.certificateFile)
        set(CURLOPT_SSLKEY, credentials.keyFile)
        set(CURLOPT_CAINFO, credentials.authorityFile)
        // A resumed session would be that of the certificate before.
        set(CURLOPT_SSL_SESSIONID_CACHE, 0)
        // A kept connection goes on with the certificates that it began with: not for ever.
        set(CURLOPT_MAXLIFETIME_CONN, 3600)
        if let identity = credentials.expectedIdentity {
            check(ccurl_expect_identity(handle, ExpectedIdentities.lasting(identity)))
        }
    }

    /// Called by libcurl with each resolved address before it connects.
    fileprivate func allows(_ address: UnsafeMutablePointer<curl_sockaddr>) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = Int(ccurl_address_bytes(address, &bytes))
        guard job.request.addressPolicy?.allows(Array(bytes.prefix(count))) ?? true else {
            hasRefusedAddress = true
            return false
        }
        return true
    }

    private func append(_ line: String) {
        guard let list = curl_slist_append(requestHeaders, line) else {
            preconditionFailure("libcurl is out of memory")
        }
        requestHeaders = list
    }

    /// Called once the handle has left the multi handle.
    func freeHeaders() {
        curl_slist_free_all(requestHeaders)
        requestHeaders = nil
    }

    /// libcurl takes 0 as "for ever".
    private func milliseconds(_ duration: Duration) -> CLong {
        CLong(max(1, min(duration.wholeMilliseconds, 86_400_000)))
    }

    // MARK: Response

    fileprivate func appendBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        responseBodyBytes += bytes.count
        guard responseBodyBytes <= job.request.maxResponseBytes else {
            isTooLarge = true
            return false
        }
        if !job.request.ignoresBody { responseBody.append(contentsOf: bytes) }
        return true
    }

    fileprivate func appendHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        responseHeaderBytes += line.count
        guard responseHeaderBytes <= Self.maxHeaderBytes else {
            isTooLarge = true
            return false
        }
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            // A status line: what an interim response (1xx) said before it is over.
            responseHeaders = HTTPHeaders()
        } else if line.allSatisfy({ $0 == 0x0D || $0 == 0x0A }) {
            hasHead = hasHead || long(CURLINFO_RESPONSE_CODE) >= 200
        } else if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = text[text.index(after: colon)...]
            responseHeaders.add(String(text[..<colon]), Self.trimmed(value))
        }
        return true
    }

    private static func trimmed(_ text: Substring) -> String {
        let head = text.drop { $0.isWhitespace }
        guard let last = head.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(head[...last])
    }

    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPError> {
        let isAnswered = code == CURLE_OK || (job.request.ignoresBody && hasHead)
        guard isAnswered else {
            return .failure(isTooLarge ? tooLarge : error(code))
        }
        return .success(
            HTTPResponse(
                status: long(CURLINFO_RESPONSE_CODE), headers: responseHeaders,
                body: responseBody))
    }

    var mayHaveBeenSent: Bool { long(CURLINFO_REQUEST_SIZE) > 0 }

    private var tooLarge: HTTPError {
        HTTPError(
            .tooLarge,
            "the response of \(job.request.origin) exceeds \(job.request.maxResponseBytes) bytes "
                + "of body or \(Self.maxHeaderBytes) of headers; ask for less",
            mayHaveBeenSent: true)
    }

    private func error(_ curlCode: CURLcode) -> HTTPError {
        if hasRefusedAddress, curlCode == CURLE_COULDNT_CONNECT {
            return HTTPError(
                .addressRefused,
                "\(job.request.origin) leads to an address of this machine, of a private network "
                    + "or of a cloud's metadata, which is not allowed")
        }
        let (code, remedy) = HTTPError.Code.of(curlCode)
        var cause = String(cString: curl_easy_strerror(curlCode))
        let number = long(CURLINFO_OS_ERRNO)
        if number != 0, code == .connectFailed || code == .connectionLost,
            let text = strerror(Int32(number))
        {
            cause += " (\(String(cString: text)))"
        }
        return HTTPError(
            code, "\(job.request.origin): \(cause); \(remedy)", mayHaveBeenSent: mayHaveBeenSent)
    }

    // MARK: Handles

    /// The ticket's id of the transfer that owns a handle.
    static func id(of handle: UnsafeMutableRawPointer) -> UInt64 {
        var context: UnsafeMutableRawPointer?
        guard ccurl_get_pointer(handle, CURLINFO_PRIVATE, &context) == CURLE_OK, let context
        else { preconditionFailure("a libcurl handle without its transfer") }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().job.ticket.id
    }

    private func long(_ info: CURLINFO) -> Int {
        var value: CLong = 0
        check(ccurl_get_long(handle, info, &value))
        return value
    }

    private func set(_ option: CURLoption, _ value: CLong) {
        check(ccurl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) {
        check(ccurl_set_text(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: UnsafeRawPointer?) {
        check(ccurl_set_pointer(handle, option, value))
    }

    /// These options fail only when libcurl lacks them or is out of memory.
    private func check(_ code: CURLcode) {
        precondition(
            code == CURLE_OK, "libcurl failed: \(String(cString: curl_easy_strerror(code)))")
    }
}

/// Taking fewer bytes than offered ends the transfer.
private let receiveBody: ccurl_data_callback = { data, size, count, context in
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
    return transfer.appendBody(bytes) ? bytes.count : 0
}

private let openSocket: ccurl_open_socket_callback = { context, _, address in
    guard let context, let address else { return CURL_SOCKET_BAD }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    guard transfer.allows(address) else { return CURL_SOCKET_BAD }
    let type = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    return socket(address.pointee.family, type, address.pointee.protocol)
}

private let receiveHeader: ccurl_data_callback = { data, size, count, context in
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
    return transfer.appendHeader(bytes) ? bytes.count : 0
}

extension HTTPError.Code {
    /// Our code for libcurl's, and what to do about it.
    static func of(_ code: CURLcode) -> (HTTPError.Code, String) {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            (.resolveFailed, "check the name and the name server")
        case CURLE_COULDNT_CONNECT:
            (.connectFailed, "check that it runs and that the address and port are right")
        case CURLE_OPERATION_TIMEDOUT:
            (.timedOut, "check that it is reachable, or allow more time")
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS:
            (.tls, "check its certificate and the trusted authorities")
        case CURLE_URL_MALFORMAT:
            (.invalidRequest, "correct the URL")
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE:
            (.connectionLost, "look into the log of the other side")
        // An unsupported protocol is the answer's: that of the URL was checked before.
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            (.badResponse, "check that an HTTP server listens there")
        default:
            (.other, "look into the log of the other side")
        }
    }
}
