/// Who asks or answers, as the edge has established it.
package struct Principal: Codable, Hashable, Sendable {
    /// The credential: what stands as `actor` in the journal.
    package var actor: String
    /// The person behind it. Several credentials of one person are one person here.
    package var person: String
    /// Who else knows the credential's secret, and so could be the one who asks: whoever made it.
    /// `nil`: nobody.
    package var knownBy: [String]?
    package var groups: [String]
    package var isAdmin: Bool
    /// Where the request came from, as far as the edge can tell.
    package var address: String?

    package init(
        actor: String, person: String? = nil, knownBy: [String]? = nil, groups: [String] = [],
        isAdmin: Bool = false, address: String? = nil
    ) {
        self.actor = actor
        self.person = person ?? actor
        self.knownBy = knownBy
        self.groups = groups
        self.isAdmin = isAdmin
        self.address = address
    }

    /// The person whom no server can tell from any other: who holds the token of `token_file`.
    package static let anybody = "bootstrap"

    /// Everybody who can ask with this credential.
    private var holders: Set<String> { Set([person] + (knownBy ?? [])) }

    /// Who could have asked with both credentials; empty: they are two people.
    package func couldBeOne(with other: Principal) -> [String] {
        let both = holders.union(other.holders)
        if both.contains(Self.anybody) { return [Self.anybody] }
        return holders.intersection(other.holders).sorted()
    }

    private enum CodingKeys: String, CodingKey {
        case actor, person
        case knownBy = "known_by"
        case groups
        case isAdmin = "is_admin"
        case address
    }
}

/// A person with one credential and nothing else.
extension Principal: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(actor: value) }
}
