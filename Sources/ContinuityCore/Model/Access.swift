/// What a person or their automation may do; each includes those before it.
package enum AccessRole: String, Codable, CaseIterable, Hashable, Comparable, Sendable {
    /// Status, plans and the audit trail.
    case viewer
    /// Also drills, and requests to move and to pause.
    case `operator`
    /// Also policies, grants, brakes and tokens.
    case admin

    package static func < (left: AccessRole, right: AccessRole) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

package struct TokenID: StringIdentifier {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A token of a person or of a program of theirs. The secret itself is nowhere: only its digest.
package struct AccessToken: Codable, Hashable, Sendable {
    /// `tok-` and the first 12 digits of `sha256`.
    package var tokenID: TokenID
    /// What it is for.
    package var name: String
    /// The person who answers for what is done with it.
    package var owner: String
    /// The person who had it made, and has seen its secret.
    package var createdBy: String
    /// Everybody else who has seen it or could have had it made: its maker, and whoever knows the
    /// credential that it was made with. `nil` in old journals: its maker.
    package var knownBy: [String]?
    package var role: AccessRole
    /// Empty: all clusters.
    package var clusters: [ClusterID]
    /// SHA-256 of the secret, in hexadecimal.
    package var sha256: String
    package var createdAtMs: Int64
    package var expiresAtMs: Int64
    package var revokedAtMs: Int64?

    package init(
        name: String, owner: String, createdBy: String, knownBy: [String]? = nil, role: AccessRole,
        clusters: [ClusterID],
        sha256: String, createdAtMs: Int64, expiresAtMs: Int64
    ) {
        tokenID = TokenID("tok-" + sha256.prefix(12))
        self.name = name
        self.owner = owner
        self.createdBy = createdBy
        self.knownBy = knownBy
        self.role = role
        self.clusters = clusters
        self.sha256 = sha256
        self.createdAtMs = createdAtMs
        self.expiresAtMs = expiresAtMs
    }

    /// Who besides its owner can act with it.
    package var otherHolders: [String] {
        Set(knownBy ?? [createdBy]).subtracting([owner]).sorted()
    }

    package func isValid(atMs now: Int64) -> Bool {
        revokedAtMs == nil && now < expiresAtMs
    }

    private enum CodingKeys: String, CodingKey {
        case tokenID = "token_id"
        case name, owner
        case createdBy = "created_by"
        case knownBy = "known_by"
        case role, clusters, sha256
        case createdAtMs = "created_at_ms"
        case expiresAtMs = "expires_at_ms"
        case revokedAtMs = "revoked_at_ms"
    }
}
