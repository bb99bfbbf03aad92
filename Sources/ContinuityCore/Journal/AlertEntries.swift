package struct AlertQueued: Codable, Hashable, Sendable {
    package var alert: Alert

    package init(alert: Alert) {
        self.alert = alert
    }
}

package struct AlertDelivered: Codable, Hashable, Sendable {
    package var alertID: AlertID
    package var channel: String
    package var attempts: Int64
    package var httpStatus: Int64

    package init(alertID: AlertID, channel: String, attempts: Int64, httpStatus: Int64) {
        self.alertID = alertID
        self.channel = channel
        self.attempts = attempts
        self.httpStatus = httpStatus
    }

    private enum CodingKeys: String, CodingKey {
        case alertID = "alert_id"
        case channel
        case attempts
        case httpStatus = "http_status"
    }
}

/// An alert that its channel did not take, however often it was sent.
package struct AlertDead: Codable, Hashable, Sendable {
    package var alertID: AlertID
    package var channel: String
    package var attempts: Int64
    package var reason: String

    package init(alertID: AlertID, channel: String, attempts: Int64, reason: String) {
        self.alertID = alertID
        self.channel = channel
        self.attempts = attempts
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case alertID = "alert_id"
        case channel
        case attempts
        case reason
    }
}
