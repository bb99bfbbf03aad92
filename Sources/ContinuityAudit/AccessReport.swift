package import ContinuityCore
import Foundation

/// What somebody may do, and by which credential.
package struct AccessGrant: Encodable, Hashable, Sendable {
    /// The person, as the journal names them: an entry's `actor`.
    package var name: String
    /// `certificate`, `token tok-…`, `shared token` or `link of CHANNEL`.
    package var credential: String
    package var role: AccessRole
    /// Empty: every cluster.
    package var clusters: [String]
    /// What a token is for.
    package var purpose: String?
    /// Who else knows a token's secret.
    package var knownBy: [String] = []
    /// UTC milliseconds since 1970; `nil`: as long as the configuration stands.
    package var createdAtMs: Int64?
    package var expiresAtMs: Int64?
    package var revokedAtMs: Int64?
    /// When it was shown last within the period, to the day.
    package var lastUsedAtMs: Int64?

    package init(name: String, credential: String, role: AccessRole, clusters: [String] = []) {
        self.name = name
        self.credential = credential
        self.role = role
        self.clusters = clusters
    }

    init(_ token: AccessToken) {
        self.init(
            name: token.owner, credential: "token \(token.tokenID)", role: token.role,
            clusters: token.clusters.map(\.rawValue))
        purpose = token.name
        knownBy = token.otherHolders
        createdAtMs = token.createdAtMs
        expiresAtMs = token.expiresAtMs
    }

    package var endMs: Int64 { min(expiresAtMs ?? .max, revokedAtMs ?? .max) }
    /// A link is bound to its channel and leaves no trace of its own.
    package var isLink: Bool { credential.hasPrefix("link of ") }

    func covers(_ cluster: String?, _ role: AccessRole, atMs: Int64) -> Bool {
        atMs >= (createdAtMs ?? 0) && atMs <= endMs && role <= self.role
            && (clusters.isEmpty || cluster.map(clusters.contains) ?? false)
    }

    private enum CodingKeys: String, CodingKey {
        case name, credential, role, clusters, purpose
        case knownBy = "known_by"
        case createdAtMs = "created_at_ms"
        case expiresAtMs = "expires_at_ms"
        case revokedAtMs = "revoked_at_ms"
        case lastUsedAtMs = "last_used_at_ms"
    }
}

/// Who could do what, who did, and who never used their rights: for a quarterly review.
package struct AccessReport: Encodable, Sendable {
    package struct Person: Encodable, Sendable {
        package var name: String
        /// Empty: nobody granted this name anything, and yet it acted.
        package var grants: [AccessGrant] = []
        /// How often, by the kind of entry.
        package var actions: [String: Int64] = [:]
        package var lastSeq: Int64?
        package var lastAtMs: Int64?
        /// Entries that no grant of the person covers, by role, cluster and time; the first ones.
        package var uncovered: [Int64] = []
        /// What a reviewer should look at.
        package var findings: [String] = []

        enum CodingKeys: String, CodingKey {
            case name, grants, actions, uncovered, findings
            case lastSeq = "last_seq"
            case lastAtMs = "last_at_ms"
        }
    }

    package var fromMs: Int64
    package var toMs: Int64
    package var people: [Person]
    /// Names that people only claimed, since nobody proves theirs without TLS.
    package var namesAreClaimed: Bool

    package var hasUncovered: Bool { people.contains { !$0.uncovered.isEmpty } }

    enum CodingKeys: String, CodingKey {
        case fromMs = "from_ms"
        case toMs = "to_ms"
        case people
        case namesAreClaimed = "names_are_claimed"
    }

    /// Kinds of entries that only admins bring about by themselves.
    private static let adminKinds: Set = [
        "token_created", "token_revoked", "brake_cleared", "review_closed", "hook_packs_changed",
    ]

    /// - Parameters:
    ///   - configured: What the configuration of `serve` gives people; tokens are the journal's.
    ///   - entries: All of the journal, since tokens may be older than the period.
    package init(
        configured: [AccessGrant], namesAreClaimed: Bool, entries: some Sequence<JournalEntry>,
        fromMs: Int64, toMs: Int64
    ) throws(JournalFault) {
        (self.fromMs, self.toMs, self.namesAreClaimed) = (fromMs, toMs, namesAreClaimed)
        var grants = configured
        var acts: [JournalEntry] = []
        for entry in entries {
            switch entry.kind {
            case "token_created", "token_revoked", "credential_used":
                Self.learn(from: try JournalBody(of: entry), entry, &grants, since: fromMs)
            default: break
            }
            guard (fromMs...toMs).contains(entry.atMs), Self.isOfSomebody(entry) else { continue }
            acts.append(entry)
        }
        // What ended before the period is of an earlier review.
        grants.removeAll { $0.endMs < fromMs }
        var people: [String: Person] = [:]
        for grant in grants {
            people[grant.name, default: Person(name: grant.name)].grants.append(grant)
        }
        for entry in acts {
            people[entry.actor, default: Person(name: entry.actor)]
                .count(entry, needing: Self.role(for: entry), namesAreClaimed)
        }
        self.people = people.values.sorted { $0.name < $1.name }.map {
            var person = $0
            person.findings = Self.findings(person, toMs: toMs)
            return person
        }
    }

    /// Not the orchestrator itself, and not who is at the machine with its files in hand.
    private static func isOfSomebody(_ entry: JournalEntry) -> Bool {
        entry.actor != "continuity" && entry.actor != "SIGHUP" && entry.kind != "entry_redacted"
            && entry.kind != "credential_used"
    }

    private static func learn(
        from body: JournalBody, _ entry: JournalEntry, _ grants: inout [AccessGrant],
        since fromMs: Int64
    ) {
        switch body {
        case .tokenCreated(let body): grants.append(AccessGrant(body.token))
        case .tokenRevoked(let body):
            let credential = "token \(body.tokenID)"
            for index in grants.indices where grants[index].credential == credential {
                grants[index].revokedAtMs = entry.atMs
            }
        case .credentialUsed(let use) where entry.atMs >= fromMs:
            for index in grants.indices
            where grants[index].credential == use.credential && grants[index].name == entry.actor {
                grants[index].lastUsedAtMs = entry.atMs
            }
        default: break
        }
    }

    private static func role(for entry: JournalEntry) -> AccessRole {
        if adminKinds.contains(entry.kind) { return .admin }
        guard entry.kind == "approval_requested",
            case .approvalRequested(let body)? = try? JournalBody(of: entry),
            body.approval.kind == .breakGlass
        else { return .operator }
        return .admin
    }

    private static func findings(_ person: Person, toMs: Int64) -> [String] {
        var findings: [String] = []
        if person.grants.isEmpty { findings.append("NOT GRANTED") }
        if !person.grants.isEmpty, !person.uncovered.isEmpty {
            let entries = person.uncovered.prefix(5).map(String.init).joined(separator: ", ")
            findings.append("BEYOND ITS RIGHTS: entries \(entries)")
        }
        let isSeen = person.grants.contains { $0.lastUsedAtMs != nil } || !person.actions.isEmpty
        if !person.grants.isEmpty, !isSeen { findings.append("never used") }
        if isSeen {
            let most = person.grants.filter { $0.endMs > toMs && !$0.isLink }.map(\.role).max()
            if most ?? .viewer >= .operator, person.actions.isEmpty {
                findings.append("only looked")
            } else if most == .admin, adminKinds.isDisjoint(with: person.actions.keys) {
                findings.append("used no right of an admin")
            }
        }
        for grant in person.grants where !grant.isLink {
            var states: [String] = []
            if grant.revokedAtMs != nil { states.append("revoked") }
            if let end = grant.expiresAtMs, end <= toMs { states.append("expired") }
            if isSeen, grant.lastUsedAtMs == nil { states.append("never used") }
            guard !states.isEmpty else { continue }
            findings.append("\(grant.credential) \(states.joined(separator: ", "))")
        }
        return findings
    }
}

extension AccessReport.Person {
    private static let uncoveredMax = 100

    fileprivate mutating func count(
        _ entry: JournalEntry, needing role: AccessRole, _ isClaimed: Bool
    ) {
        actions[entry.kind, default: 0] += 1
        lastSeq = entry.seq
        lastAtMs = entry.atMs
        let isCovered = grants.contains {
            $0.covers(entry.clusterID?.rawValue, role, atMs: entry.atMs)
        }
        if !isCovered, !isClaimed, uncovered.count < Self.uncoveredMax {
            uncovered.append(entry.seq)
        }
    }
}
