/// Something that people or machines outside must be told. Queued in the journal, delivered at
/// least once, as a CloudEvent.
package struct Alert: Codable, Hashable, Sendable {
    package enum Severity: String, Codable, Hashable, Sendable {
        case info, warning, critical
    }

    package var alertID: AlertID
    /// The CloudEvents `type`, for example `continuity.run.committed`.
    package var type: String
    package var severity: Severity
    package var clusterID: ClusterID
    /// The CloudEvents `subject`: the run or node this is about.
    package var subject: String
    package var summary: String
    /// UTC milliseconds since 1970.
    package var atMs: Int64
    package var data: JSONValue
    /// The names of the channels that shall receive it. Empty: every configured channel.
    package var channels: [String]

    package init(
        alertID: AlertID, type: String, severity: Severity, clusterID: ClusterID,
        subject: String, summary: String, atMs: Int64, data: JSONValue, channels: [String] = []
    ) {
        self.alertID = alertID
        self.type = type
        self.severity = severity
        self.clusterID = clusterID
        self.subject = subject
        self.summary = summary
        self.atMs = atMs
        self.data = data
        self.channels = channels
    }

    private enum CodingKeys: String, CodingKey {
        case alertID = "alert_id"
        case type, severity
        case clusterID = "cluster_id"
        case subject, summary
        case atMs = "at_ms"
        case data, channels
    }
}
