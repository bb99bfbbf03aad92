/// A process took the lead; its epoch is that of the entry.
package struct LeadershipStarted: Codable, Hashable, Sendable {
    package var instanceID: String

    package init(instanceID: String) {
        self.instanceID = instanceID
    }

    private enum CodingKeys: String, CodingKey {
        case instanceID = "instance_id"
    }
}

/// A cluster, its policy and the alert channels as they are from now on.
package struct ClusterConfigured: Codable, Hashable, Sendable {
    package var cluster: Cluster
    package var policy: FailoverPolicy
    package var alertChannels: [String]

    package init(cluster: Cluster, policy: FailoverPolicy, alertChannels: [String]) {
        self.cluster = cluster
        self.policy = policy
        self.alertChannels = alertChannels
    }

    private enum CodingKeys: String, CodingKey {
        case cluster
        case policy
        case alertChannels = "alert_channels"
    }
}
