/// A process took the lead; its epoch is that of the entry.
package struct LeadershipStarted: Codable, Hashable, Sendable {
    /// The value of ``bodyFormat`` from which on bodies have a ``BodyCommitment``.
    package static let committedFormat: Int64 = 2

    package var instanceID: String
    /// How the bodies from here on are bound to their digests; `nil`: as a whole.
    package var bodyFormat: Int64?

    /// Of the program that leads: number and commit. `nil`: it is older than this member.
    package var version: String?

    package init(instanceID: String, bodyFormat: Int64? = nil, version: String? = nil) {
        self.instanceID = instanceID
        self.bodyFormat = bodyFormat
        self.version = version
    }

    private enum CodingKeys: String, CodingKey {
        case instanceID = "instance_id"
        case bodyFormat = "body_format"
        case version
    }

    /// A journal that a newer program led is not misread, nor led.
    func ofReadableFormat() throws -> LeadershipStarted {
        guard let format = bodyFormat, !ProductVersion.journal.reads.contains(format) else {
            return self
        }
        throw DecodingError.dataCorrupted(
            .init(
                codingPath: [],
                debugDescription:
                    "a newer continuity (\(version ?? "of unknown version")) wrote the "
                    + "journal from here on in format \(format); this one is "
                    + "\(ProductVersion.number) and reads up to format "
                    + "\(ProductVersion.journal.reads.upperBound): start the newer one again, or "
                    + "restore a backup that is older than the upgrade"))
    }
}

/// The files name the cluster no longer: nothing is decided for it, and it is not shown. What is
/// known of it stays, for the case that they name it again.
package struct ClusterReleased: Codable, Hashable, Sendable {
    /// Which node was primary then.
    package var primaryNodeID: NodeID

    package init(primaryNodeID: NodeID) { self.primaryNodeID = primaryNodeID }

    private enum CodingKeys: String, CodingKey { case primaryNodeID = "primary_node_id" }
}

/// A cluster, its policy and the alert channels as they are from now on.
package struct ClusterConfigured: Codable, Hashable, Sendable {
    package var cluster: Cluster
    package var policy: FailoverPolicy
    package var alertChannels: [String]
    /// Where the primary's data ended when nodes that may hold acknowledged writes were taken out
    /// of the cluster: whoever becomes primary has as much at least. `nil`: none were.
    package var floorBytes: Int64?

    package init(
        cluster: Cluster, policy: FailoverPolicy, alertChannels: [String],
        floorBytes: Int64? = nil
    ) {
        self.cluster = cluster
        self.policy = policy
        self.alertChannels = alertChannels
        self.floorBytes = floorBytes
    }

    private enum CodingKeys: String, CodingKey {
        case cluster
        case policy
        case alertChannels = "alert_channels"
        case floorBytes = "floor_bytes"
    }
}
