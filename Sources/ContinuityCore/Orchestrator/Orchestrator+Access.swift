/// Tokens, whose only record is the journal.
extension Orchestrator {
    /// Not expired and not revoked, at once.
    package static let tokensMax = 1000

    mutating func create(_ token: AccessToken, _ now: Moment) {
        let valid = state.tokens.values.filter { $0.isValid(atMs: now.utcMs) }
        let evidence: String? =
            if state.tokens[token.tokenID] != nil {
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

    mutating func note(_ use: CredentialUsed, by person: String, _ now: Moment) {
        emit(.credentialUsed(use), cluster: nil, actor: person, now)
    }

    mutating func note(_ refusal: LoginRefused, _ now: Moment) {
        emit(.loginRefused(refusal), cluster: nil, now)
    }
}
