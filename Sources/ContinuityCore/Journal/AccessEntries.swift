package struct TokenCreated: Codable, Hashable, Sendable {
    package var token: AccessToken

    package init(token: AccessToken) { self.token = token }
}

package struct TokenRevoked: Codable, Hashable, Sendable {
    package var tokenID: TokenID
    package var reason: String

    package init(tokenID: TokenID, reason: String) {
        self.tokenID = tokenID
        self.reason = reason
    }

    private enum CodingKeys: String, CodingKey {
        case tokenID = "token_id"
        case reason
    }
}

/// The holder of a token took another for it, and the first has ended: one entry, so that never both
/// or neither hold.
package struct TokenClaimed: Codable, Hashable, Sendable {
    /// The new one; `claimed_from` names the old.
    package var token: AccessToken
    /// From where.
    package var address: String

    package init(token: AccessToken, address: String) {
        self.token = token
        self.address = address
    }
}

/// Somebody could not show who they are. Not every time: an attacker must not fill the journal.
package struct LoginRefused: Codable, Hashable, Sendable {
    package var address: String
    package var reason: String
    /// How often in a row this credential, or where it has no name any one, failed from there.
    package var failures: Int64
    /// Whose it is, as far as that is known: `certificate continuity://…` or `token tok-… of ana`.
    package var credential: String?

    package init(address: String, reason: String, failures: Int64, credential: String? = nil) {
        self.credential = credential
        self.address = address
        self.reason = reason
        self.failures = failures
    }
}

/// Somebody showed a credential: the first time since `serve` started, then once a day at most. So
/// an access review knows which are used, also by those who only look.
package struct CredentialUsed: Codable, Hashable, Sendable {
    /// `certificate`, `token tok-…` or `shared token`.
    package var credential: String
    package var address: String

    package init(credential: String, address: String) {
        self.credential = credential
        self.address = address
    }
}
