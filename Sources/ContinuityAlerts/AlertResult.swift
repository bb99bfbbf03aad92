package import ContinuityCore

/// How the delivery of one alert to one channel ended. Reported once for each accepted alert.
package enum AlertResult: Hashable, Sendable {
    /// The receiver answered with a status of 200 to 299.
    case delivered(AlertID, channel: String, status: Int, attempts: Int)
    /// Nothing more will be tried: a person must look.
    case dead(AlertID, channel: String, reason: String, attempts: Int)
}
