/// Tokens, whose only record is the journal.
extension Orchestrator {
    /// Not expired and not revoked, at once.
    package static let tokensMax = 1000
    /// Claims of what was one token within the window.
    static let claimsMax = 3
    static let claimWindowMs: Int64 = 60_000

    mutating func create(_ token: AccessToken, _ now: Moment) {
        let valid = state.tokens.values.filter { $0.isValid(atMs: now.utcMs) }
        let likeOwner = valid.map(\.owner).sorted()
            .first { $0 != token.owner && $0.lowercased() == token.owner.lowercased() }
        let evidence: String? =
            if let likeOwner {
                "'\(likeOwner)' has tokens, and '\(token.owner)' differs from it by case alone: "
                    + "write the same name for the same person"
            } else if state.tokens[token.tokenID] != nil {
                "there is a token of the same digest"
            } else if valid.contains(where: { $0.name == token.name && $0.owner == token.owner }) {
                "\(token.owner) has a token named '\(token.name)'; revoke it, or choose another name"
            } else if valid.count >= Self.tokensMax {
                "there are \(valid.count) valid tokens; revoke some"
            } else {
                nil
            }
        if let evidence { return reply(.tokenRefused(evidence)) }
        emit(.tokenCreated(TokenCreated(token: token)), cluster: nil, actor: token.createdBy, now)
        reply(.token(token))
    }

    mutating func revoke(_ id: TokenID, reason: String, by person: String, _ now: Moment) {
        guard let token = state.tokens[id] else {
            return reply(.tokenRefused("there is no token '\(id)'"))
        }
        if token.revokedAtMs == nil {
            emit(
                .tokenRevoked(TokenRevoked(tokenID: id, reason: reason)), cluster: nil,
                actor: person, now)
        }
        reply(.token(state.tokens[id] ?? token))
    }

    /// Ends a token and makes its successor. It is its owner's alone, unless they have a credential of
    /// their own already: somebody else could claim it then, and the owner would miss nothing.
    mutating func claim(_ wish: TokenClaim, _ now: Moment) {
        guard let token = state.tokens[wish.tokenID], token.isValid(atMs: now.utcMs) else {
            return reply(.tokenRefused("\(wish.tokenID) has ended: somebody may have claimed it"))
        }
        // In a loop it would grow the journal, and each new token would have rates of its own.
        if recentClaims(of: token, now) >= Self.claimsMax {
            return reply(
                .tokenRefused(
                    "\(wish.tokenID) was claimed \(Self.claimsMax) times within "
                        + "\(Self.claimWindowMs / 1000) s; it is its owner's alone already"))
        }
        guard token.owner != Principal.anybody else {
            return reply(
                .tokenRefused(
                    "'\(token.owner)' could be anybody: make a token for a person ('--owner')"))
        }
        let hasOwn =
            wish.ownerHasCertificate
            || state.tokens.values.contains {
                $0.tokenID != token.tokenID && $0.owner == token.owner
                    && $0.isValid(atMs: now.utcMs) && $0.otherHolders.isEmpty
            }
        let made = token.claimed(
            sha256: wish.sha256, isOwnersAlone: token.otherHolders.isEmpty || !hasOwn,
            atMs: now.utcMs)
        guard state.tokens[made.tokenID] == nil else {
            return reply(.tokenRefused("there is a token of the same digest"))
        }
        emit(
            .tokenClaimed(TokenClaimed(token: made, address: wish.address)), cluster: nil,
            actor: token.owner, now)
        reply(.token(made))
    }

    /// How often what is this token now was claimed lately.
    private func recentClaims(of token: AccessToken, _ now: Moment) -> Int {
        var count = 0
        var current = token
        while count < Self.claimsMax, let before = current.claimedFrom,
            now.utcMs -| current.createdAtMs < Self.claimWindowMs
        {
            count += 1
            guard let earlier = state.tokens[before] else { break }
            current = earlier
        }
        return count
    }

    mutating func note(_ use: CredentialUsed, by person: String, _ now: Moment) {
        emit(.credentialUsed(use), cluster: nil, actor: person, now)
    }

    mutating func note(_ refusal: LoginRefused, _ now: Moment) {
        emit(.loginRefused(refusal), cluster: nil, now)
    }
}
