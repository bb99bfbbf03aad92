import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import ContinuityHooks
import Foundation

/// One `ctx.http` call: secrets in, checks on every hop, secrets out.
struct HTTPCall {
    static let hopsMax = 3
    static let responseBytesMax = 256 << 10
    static let requestBytesMax = 1 << 20

    let broker: LiveBroker
    let call: HookHostCall

    func perform() async throws(CallFailure) -> JSONValue {
        let arguments = call.arguments
        var method = arguments["method"]?.string ?? "GET"
        guard let template = TextTemplate(arguments["url"] ?? .null) else {
            throw CallFailure("http: no URL", code: "invalid")
        }
        // The placeholder tells the destination, which no secret can decide.
        guard let plain = RequestURL(template.render { _ in "x" }) else {
            throw CallFailure("http: the URL is not understood", code: "invalid")
        }
        var url = try resolved(template, for: plain)
        let deadline = ContinuousClock.now + .milliseconds(arguments["timeout_ms"]?.int ?? 5000)
        for hop in 0...Self.hopsMax {
            let rule = try rule(method, url)
            let request = try request(method, url, rule, deadline)
            let response = try await send(request, method)
            guard (301...303).contains(response.status) || [307, 308].contains(response.status),
                rule.redirects, let location = response.headers["location"]
            else { return try await answer(response) }
            guard hop < Self.hopsMax else {
                throw CallFailure(
                    "\(url.origin): more than \(Self.hopsMax) redirects", code: "bad_response")
            }
            guard method == "GET" || method == "HEAD" || response.status == 303 else {
                throw CallFailure(
                    "\(url.origin) redirects a \(method), which is not followed: it would be "
                        + "carried out elsewhere", code: "bad_response")
            }
            if response.status == 303, method != "HEAD" { method = "GET" }
            url = try next(location, from: url)
        }
        preconditionFailure("the loop returns or throws within its bound")
    }

    /// Everything up to the connection: the rule, the secrets, the request, and where its host leads
    /// to. Nothing is connected to.
    func rehearse() async throws(CallFailure) {
        let arguments = call.arguments
        let method = arguments["method"]?.string ?? "GET"
        guard let template = TextTemplate(arguments["url"] ?? .null),
            let plain = RequestURL(template.render { _ in "x" })
        else { throw CallFailure("http: the URL is not understood", code: "invalid") }
        let url = try resolved(template, for: plain)
        let rule = try rule(method, url)
        let request = try request(method, url, rule, .now + .seconds(1))
        do {
            try request.validate()
        } catch {
            throw CallFailure(error.message, code: "invalid")
        }
        let host = url.host.hasPrefix("[") ? String(url.host.dropFirst().dropLast()) : url.host
        switch await request.addressPolicy?.verdict(resolving: host) {
        case .allowed, nil: break
        case .refused(let address):
            throw CallFailure(
                "\(url.origin): \(address) is an address that this hook may not reach",
                code: "address_refused")
        case .unresolved:
            throw CallFailure("\(url.origin): the name is not known", code: "unreachable")
        }
    }

    /// The rule for this hop, with the path as it is now that secrets stand in it.
    private func rule(_ method: String, _ url: RequestURL) throws(CallFailure) -> HTTPRule {
        switch call.check.http(method: method, url) {
        case .success(let rule): return rule
        case .failure(let problem): throw CallFailure(problem.description, code: "denied")
        }
    }

    private func next(_ location: String, from url: RequestURL) throws(CallFailure) -> RequestURL {
        let absolute =
            location.hasPrefix("/") && !location.hasPrefix("//")
            ? url.origin + location : location
        guard let next = RequestURL(absolute) else {
            throw CallFailure(
                "\(url.origin) redirects to what is no plain URL", code: "bad_response")
        }
        return next
    }

    // MARK: Request

    private func resolved(
        _ template: TextTemplate, for url: RequestURL
    ) throws(CallFailure) -> RequestURL {
        let destination = "\(url.host):\(url.port)"
        let text = try template.render { name throws(CallFailure) in
            try broker.secrets.value(name, for: destination)
        }
        guard let resolved = RequestURL(text), resolved.origin == url.origin else {
            throw CallFailure(
                "http: with its secrets the URL for \(url.origin) is no plain URL", code: "invalid")
        }
        return resolved
    }

    private func request(
        _ method: String, _ url: RequestURL, _ rule: HTTPRule,
        _ deadline: ContinuousClock.Instant
    ) throws(CallFailure) -> HTTPRequest {
        let destination = "\(url.host):\(url.port)"
        func secret(_ name: String) throws(CallFailure) -> String {
            try broker.secrets.value(name, for: destination)
        }
        var headers = HTTPHeaders()
        for (name, value) in (call.arguments["headers"]?.object ?? [:]).sorted(by: {
            $0.key < $1.key
        }) {
            guard let template = TextTemplate(value) else { continue }
            headers.add(name, try template.render(secret))
        }
        var body: [UInt8] = []
        if method != "GET", method != "HEAD" {
            if let text = call.arguments["body"].flatMap(TextTemplate.init) {
                body = Array(try text.render(secret).utf8)
            } else if let json = call.arguments["json"] {
                body = CanonicalJSON.bytes(try Self.fill(json, secret))
                if headers["content-type"] == nil {
                    headers.add("content-type", "application/json")
                }
            }
        }
        guard body.count <= Self.requestBytesMax else {
            throw CallFailure("http: the body is too long", code: "invalid")
        }
        var request = HTTPRequest(
            method: method, url: url.text, headers: headers, body: body,
            timeout: max(.milliseconds(1), deadline - .now), maxResponseBytes: Self.responseBytesMax
        )
        request.addressPolicy = rule.allowPrivate ? .privateToo : .publicOnly
        request.pins = rule.pins
        request.caFile = rule.caFile
        if let aws = rule.aws {
            request.aws = AWSSignature(
                region: aws.region, service: aws.service,
                accessKeyID: try secret(aws.accessKeySecret),
                secretAccessKey: try secret(aws.secretKeySecret))
        }
        return request
    }

    /// Puts secrets into a JSON body.
    private static func fill(
        _ value: JSONValue, _ secret: (String) throws(CallFailure) -> String
    ) throws(CallFailure) -> JSONValue {
        if let reference = SecretReference(value) { return .string(try secret(reference.name)) }
        switch value {
        case .array(let elements):
            var filled: [JSONValue] = []
            for element in elements { filled.append(try fill(element, secret)) }
            return .array(filled)
        case .object(let members):
            var filled: [String: JSONValue] = [:]
            for (key, member) in members { filled[key] = try fill(member, secret) }
            return .object(filled)
        default: return value
        }
    }

    // MARK: Response

    private func send(
        _ request: HTTPRequest, _ method: String
    ) async throws(CallFailure) -> HTTPResponse {
        do {
            return try await broker.http.send(request)
        } catch {
            let isRead = method == "GET" || method == "HEAD"
            let code =
                switch error.code {
                case .invalidRequest: "invalid"
                case .addressRefused: "address_refused"
                case .tls: "tls"
                case .tooLarge: "too_large"
                case .badResponse: "bad_response"
                case .resolveFailed, .connectFailed, .overloaded, .shutDown: "unreachable"
                case _ where error.mayHaveBeenSent && !isRead: "in_doubt"
                case .timedOut: "timed_out"
                default: "unreachable"
                }
            throw CallFailure(error.message, code: code)
        }
    }

    private func answer(_ response: HTTPResponse) async throws(CallFailure) -> JSONValue {
        guard let body = String(validating: response.body, as: UTF8.self) else {
            throw CallFailure("http: the answer's body is not UTF-8 text", code: "bad_response")
        }
        var received: [UInt8] = []
        var headers: [String: JSONValue] = [:]
        for header in response.headers {
            received.append(contentsOf: "\(header.name): \(header.value)\n".utf8)
            headers[header.name.lowercased()] = .string(header.value)
        }
        received.append(contentsOf: response.body)
        let status = JSONValue.int(Int64(response.status))
        // Fail closed: nothing of such an answer but its status, which tells whether an effect took
        // place. Cutting the value out instead would leave whatever spelling the cutter missed.
        if let name = await broker.secrets.secretInLong(received) {
            return [
                "status": status, "headers": [:], "body": "",
                "withheld": .string("the answer held the secret '\(name)'"),
            ]
        }
        var answer: [String: JSONValue] = [
            "status": status, "headers": .object(headers), "body": .string(body),
        ]
        if response.headers["content-type"]?.lowercased().contains("json") == true {
            answer["json"] = ForeignJSON.value(body)
        }
        return .object(answer)
    }
}
