package import ContinuityCore
package import ContinuityCrypto
package import ContinuityTransport

/// Whom the server knows besides the tokens in its journal.
package struct AccessRules: Sendable {
    /// Somebody whose certificate says who they are.
    package struct Person: Hashable, Sendable {
        package var name: String
        package var identity: String
        package var role: AccessRole
        /// Empty: all clusters.
        package var clusters: [ClusterID]
        package var pins: [Pin]

        package init(
            name: String, identity: String, role: AccessRole, clusters: [ClusterID], pins: [Pin]
        ) {
            self.name = name
            self.identity = identity
            self.role = role
            self.clusters = clusters
            self.pins = pins
        }
    }

    package struct Agent: Hashable, Sendable {
        package var cluster: ClusterID
        package var node: NodeID
        package var identity: String
        /// Of whose keys its certificate must have one. Empty: any that the authority signed.
        package var pins: [Pin]

        package init(cluster: ClusterID, node: NodeID, identity: String? = nil, pins: [Pin] = []) {
            self.cluster = cluster
            self.node = node
            self.identity = identity ?? "\(Identity.scheme)agent/\(cluster)/\(node)"
            self.pins = pins
        }
    }

    /// `nil`: plain HTTP on the loopback interface.
    package var tls: TLSFiles?
    /// Without TLS, for machines and people alike; with it, the first admin's, until there are
    /// tokens or certificates.
    package var sharedToken: [UInt8]?
    package var people: [Person]
    package var agents: [Agent]
    /// Which people stand together, for approvals.
    package var groups: [String: Set<String>] = [:]
    /// The people who answer by the links of a channel of their own.
    package var linkApprovers: Set<String> = []
    package var limits: AccessLimits

    /// The groups that a person stands in, in order.
    func groups(of person: String) -> [String] {
        groups.filter { $0.value.contains(person) }.keys.sorted()
    }

    package init(
        tls: TLSFiles?, sharedToken: [UInt8]?, people: [Person], agents: [Agent],
        limits: AccessLimits
    ) {
        self.tls = tls
        self.sharedToken = sharedToken
        self.people = people
        self.agents = agents
        self.limits = limits
    }
}

/// What one caller, or one address, may ask for.
package struct AccessLimits: Hashable, Sendable {
    /// Requests a second of one identity, and as many at once after a rest, twofold.
    package var perIdentity = 100
    package var perAddress = 500
    /// Under way at once, of one identity and in all.
    package var concurrentPerIdentity = 64
    package var concurrent = 1024
    package var bounds = TransportBounds()

    package init() {}
}
