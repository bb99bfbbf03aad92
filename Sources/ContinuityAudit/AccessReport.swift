package import ContinuityConfig
package import ContinuityCore
import Foundation

/// What somebody may do.
package struct AccessGrant: Codable, Hashable, Sendable {
    /// As the journal names them: an entry's `actor`.
    package var name: String
    package var role: String
    /// Empty: every cluster.
    package var clusters: [String]
    /// UTC milliseconds since 1970; `nil`: never.
    package var expiresAtMs: Int64?

    package init(name: String, role: String, clusters: [String] = [], expiresAtMs: Int64? = nil) {
        self.name = name
        self.role = role
        self.clusters = clusters
        self.expiresAtMs = expiresAtMs
    }

    private enum CodingKeys: String, CodingKey {
        case name, role, clusters
        case expiresAtMs = "expires_at_ms"
    }

    /// Reads a YAML or JSON file with a list `grants`.
    ///
    /// - Throws: ``ConfigError`` naming file, line and remedy.
    package static func load(file: String) throws(ConfigError) -> [AccessGrant] {
        let reader = try ConfigReader.load(file: file)
        var grants: [AccessGrant] = []
        for entry in try reader.list("grants") {
            let grant = AccessGrant(
                name: try entry.string("name"), role: try entry.string("role"),
                clusters: try entry.strings("clusters", default: []),
                expiresAtMs: try entry.optionalInt("expires_at_ms", in: 0...Int64.max))
            try entry.finish()
            grants.append(grant)
        }
        try reader.finish()
        return grants
    }
}

/// Who could do what, who did, and who never used their rights: for a quarterly review.
package struct AccessReport: Encodable, Sendable {
    package struct Person: Encodable, Sendable {
        package var name: String
        /// Empty: nobody granted this name anything, and yet it acted.
        package var grants: [AccessGrant]
        /// How often, by the kind of entry.
        package var actions: [String: Int64]
        package var lastSeq: Int64?
        package var lastAtMs: Int64?
        /// Clusters on which it acted that no grant names.
        package var outside: [String]

        package var isUnused: Bool { actions.isEmpty }
        package var isUnknown: Bool { grants.isEmpty }

        enum CodingKeys: String, CodingKey {
            case name, grants, actions
            case lastSeq = "last_seq"
            case lastAtMs = "last_at_ms"
            case outside
        }
    }

    package var fromMs: Int64
    package var toMs: Int64
    package var people: [Person]

    enum CodingKeys: String, CodingKey {
        case fromMs = "from_ms"
        case toMs = "to_ms"
        case people
    }

    /// The orchestrator's own name in the journal.
    private static let itself = "continuity"

    package init(
        grants: [AccessGrant], entries: some Sequence<JournalEntry>, fromMs: Int64, toMs: Int64
    ) {
        self.fromMs = fromMs
        self.toMs = toMs
        var people: [String: Person] = [:]
        for grant in grants {
            people[grant.name, default: Self.nobody(grant.name)].grants.append(grant)
        }
        for entry in entries where (fromMs...toMs).contains(entry.atMs) {
            guard entry.actor != Self.itself else { continue }
            var person = people[entry.actor] ?? Self.nobody(entry.actor)
            person.actions[entry.kind, default: 0] += 1
            person.lastSeq = entry.seq
            person.lastAtMs = entry.atMs
            if let cluster = entry.clusterID?.rawValue, !person.outside.contains(cluster),
                !person.grants.contains(where: {
                    $0.clusters.isEmpty || $0.clusters.contains(cluster)
                })
            {
                person.outside.append(cluster)
            }
            people[entry.actor] = person
        }
        self.people = people.values.sorted { $0.name < $1.name }
    }

    private static func nobody(_ name: String) -> Person {
        Person(
            name: name, grants: [], actions: [:], lastSeq: nil, lastAtMs: nil, outside: [])
    }
}
