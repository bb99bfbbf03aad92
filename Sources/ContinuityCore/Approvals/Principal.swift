/// Who asks or answers, as the edge has established it.
package struct Principal: Codable, Hashable, Sendable {
    /// The credential: what stands as `actor` in the journal.
    package var actor: String
    /// The person behind it. Several credentials of one person are one person here.
    package var person: String
    package var groups: [String]
    package var isAdmin: Bool
    /// Where the request came from, as far as the edge can tell.
    package var address: String?

    package init(
        actor: String, person: String? = nil, groups: [String] = [], isAdmin: Bool = false,
        address: String? = nil
    ) {
        self.actor = actor
        self.person = person ?? actor
        self.groups = groups
        self.isAdmin = isAdmin
        self.address = address
    }

    private enum CodingKeys: String, CodingKey {
        case actor, person, groups
        case isAdmin = "is_admin"
        case address
    }
}

/// A person with one credential and nothing else.
extension Principal: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(actor: value) }
}
