import ContinuityCore
import ContinuityHTTP

/// Makes single attempts to one channel.
struct AlertSender: Sendable {
    enum Outcome: Sendable {
        case delivered(status: Int)
        /// No further attempt can succeed.
        case rejected(reason: String)
        case failed(reason: String, retryAfterMs: Int64?)
    }

    let channel: AlertChannel
    let client: HTTPClient
    let environment: OutboxEnvironment

    /// The status line decides. A body is waited for so that the connection can be kept, within
    /// this length and the channel's timeout; what else it does is the receiver's matter.
    private static let maxResponseBytes = 64 << 10

    /// The event with the alert's id as `webhook-id`, and timestamp and signature of this attempt.
    func send(_ alert: Alert) async -> Outcome {
        let body = CloudEvent.bytes(channel.addressed(alert))
        var headers = channel.headers
        headers["content-type"] = CloudEvent.contentType
        let signed = StandardWebhooks.headers(
            id: alert.alertID.rawValue, timestampSeconds: environment.nowSeconds(), body: body,
            secret: channel.secret)
        for header in signed { headers[header.name] = header.value }
        var request = HTTPRequest(
            method: "POST", url: channel.url, headers: headers, body: body,
            timeout: channel.timeout, connectTimeout: channel.timeout,
            maxResponseBytes: Self.maxResponseBytes)
        request.ignoresBody = true
        request.caFile = channel.caFile
        do {
            return outcome(try await client.send(request))
        } catch {
            return error.code == .invalidRequest
                ? .rejected(reason: error.message)
                : .failed(reason: error.description, retryAfterMs: nil)
        }
    }

    private func outcome(_ response: HTTPResponse) -> Outcome {
        if response.isSuccess { return .delivered(status: response.status) }
        let reason = "the receiver answered \(response.status)"
        if response.status == 410 { return .rejected(reason: reason + " Gone") }
        let retryAfterMs = response.headers["retry-after"].flatMap {
            RetrySchedule.retryAfterMs($0, nowSeconds: environment.nowSeconds())
        }
        return .failed(reason: reason, retryAfterMs: retryAfterMs)
    }
}
