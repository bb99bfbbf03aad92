import ContinuityConfig
import ContinuityCore
import ContinuityCrypto
import ContinuityTransport
import HTTPTypes
import Hummingbird
import Logging

/// The routes whose shapes the predecessor's users send: whole clusters, policies and plans in the
/// body. What is read from there is read by the rules of files.
extension APIServer {
    static let digest = ContentDigest { SHA256.digest($0) }
    /// In characters, of what is written down as the reason.
    static let reasonMax = 500

    func addPredecessorRoutes(to api: RouterGroup<APIContext>) {
        api.post("plan") { [self] request, context in
            try await exchange("plan", context) { try await planAnswer(request, context, $0) }
        }
        api.post("execute") { [self] request, context in
            try await exchange("execute", context) { try await executeAnswer(request, context, $0) }
        }
        api.post("status") { [self] request, context in
            try await exchange("status", context) { try await statusAnswer(request, context, $0) }
        }
        api.post("simulate") { [self] request, context in
            try await exchange("simulate", context) {
                try await simulateAnswer(request, context, $0)
            }
        }
    }

    /// One request and its times. Its id stands in the answer and in the log.
    struct Exchange: Sendable {
        let requestID: String
        let began = ContinuousClock.now

        static func ms(since instant: ContinuousClock.Instant) -> Int64 {
            let time = (ContinuousClock.now - instant).components
            return time.seconds * 1000 + time.attoseconds / 1_000_000_000_000_000
        }

        /// - Parameter times: In milliseconds, beside the total.
        func answer(
            _ members: [String: JSONValue], times: [String: Int64] = [:],
            status: HTTPResponse.Status = .ok
        ) -> Response {
            var members = members
            var times = times
            times["total"] = Self.ms(since: began)
            members["request_id"] = .string(requestID)
            members["timings_ms"] = .object(times.mapValues { .int($0) })
            return APIServer.json(.object(members), status: status)
        }
    }

    func exchange(
        _ what: String, _ context: APIContext, _ body: (Exchange) async throws -> Response
    ) async throws -> Response {
        let exchange = Exchange(requestID: "\(context.id)")
        var outcome = "failed"
        defer {
            logger.info(
                "request \(what)",
                metadata: [
                    "request_id": "\(exchange.requestID)", "caller": "\(context.caller.name)",
                    "outcome": "\(outcome)", "took_ms": "\(Exchange.ms(since: exchange.began))",
                ])
        }
        do {
            let response = try await body(exchange)
            outcome = "\(response.status.code)"
            return response
        } catch let problem as Problem {
            outcome = "\(problem.status.code) \(problem.type)"
            throw problem
        }
    }

    // MARK: Reading bodies

    static func reader(_ request: Request) async throws -> (reader: ConfigReader, bytes: [UInt8]) {
        let bytes = Array(try await bytes(of: request).readableBytesView)
        return (
            try described { () throws(ConfigError) in try ConfigReader.parse(json: bytes) }, bytes
        )
    }

    /// What a file would be refused for, and no schema can say.
    static func described<Value>(_ body: () throws(ConfigError) -> Value) throws -> Value {
        do throws(ConfigError) {
            return try body()
        } catch {
            let remedy = error.remedy.isEmpty ? "" : "; \(error.remedy)"
            throw Problem(
                .unprocessableContent, "invalid-description", error.message + remedy)
        }
    }

    static func reason(
        _ key: String, _ reader: ConfigReader
    ) throws(ConfigError) -> String? {
        guard let text = try reader.optionalString(key) else { return nil }
        guard text.count <= reasonMax else {
            throw reader.error(
                "'\(key)' is longer than \(reasonMax) characters", remedy: "write less", at: key)
        }
        return text
    }
}
