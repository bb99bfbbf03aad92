package import ContinuityHTTP

/// A receiver of alerts: where it is, and how it knows that they are ours.
package struct AlertChannel: Sendable {
    package var name: String
    package var url: String
    package var secret: WebhookSecret
    /// Of one attempt, from the connection to the end of the answer.
    package var timeout: Duration
    /// The last failed attempt makes an alert dead. At least 1.
    package var maxAttempts: Int
    /// Authorities (PEM) that its certificate is judged by, in place of the system's.
    package var caFile: String?
    /// Sent with each attempt, beside the headers of the webhook.
    package var headers: HTTPHeaders
    /// `nil`: nobody in particular reads it, so it carries no links to approve by.
    package var approver: ChannelApprover?

    package init(
        name: String, url: String, secret: WebhookSecret, timeout: Duration = .seconds(5),
        maxAttempts: Int = 20, caFile: String? = nil, headers: HTTPHeaders = [],
        approver: ChannelApprover? = nil
    ) {
        precondition(maxAttempts > 0, "a channel takes one attempt at least")
        self.name = name
        self.url = url
        self.secret = secret
        self.timeout = timeout
        self.maxAttempts = maxAttempts
        self.caFile = caFile
        self.headers = headers
        self.approver = approver
    }
}
